"""Tables whose rows are samples: CSV, TSV, Parquet or JSON lines with a label and what may tell it."""

import posixpath
from pathlib import Path
from typing import Any

import pandas as pd

from convoy.config.data import DataConfig
from convoy.data import pixels
from convoy.data.modalities.table import cells
from convoy.data.sources._base import Reader, Scan, listed
from convoy.errors import ConfigError, DataError
from convoy.io import write_text
from convoy.proof import pins
from convoy.scaffold import columns, tables
from convoy.scaffold import survey as surveys
from convoy.scaffold.bring import Shipment
from convoy.scaffold.columns import Wishes
from convoy.scaffold.place import Beside, Found, Options, Place, Sign
from convoy.scaffold.table_survey import TableChoices, TableSurvey, choose, survey_rows

__all__ = [
    "COLUMNS", "NOUN", "ORDER", "RECIPE", "SHEET", "SIGNS", "WANTED", "choose", "doubts", "fit", "of_file",
    "said", "selection", "sheet", "survey", "told",
]  # fmt: skip

ORDER = 90
NOUN = "rows"
RECIPE = "adult"
SHEET = "contact_sheet.txt"
WANTED = "a table whose rows are samples, with a column of labels"
COLUMNS: tuple[str, ...] = ()

_IDS = ("id", "key", "uuid", "index", "row_id", "编号", "序号", "")
_FEATURES = 2  # columns that may tell the label, from which on a table is one of rows by itself
_ACROSS = 8  # rows of a class on the sheet
_MAX_BAD = 0.05


def of_file(path: Path, wishes: Wishes) -> tuple[Path, Options] | None:
    """A single table."""
    if not tables.is_table(path.name) or path.suffix.lower() == ".txt" or wishes.encoding is not None:
        return None
    options = _table(Place(path.parent, Beside(path)), wishes, path.name)
    return None if options is None else (path.parent, options)


def _tables(place: Place, wishes: Wishes) -> Options | None:
    """The one table at the top, or one for each split, by their names."""
    names = [name for name in place.tops if tables.is_table(name) and not name.lower().endswith(".txt")]
    sides = {posixpath.splitext(name)[0].casefold(): name for name in names}
    if len(names) > 1 and "train" in sides and sides.keys() <= {"train", "val", "test"}:
        found = _table(place, wishes, sides["train"])
        if found is None:
            return None
        return {
            "source": found.pop("source"),
            "tables": sides,
            **{k: v for k, v in found.items() if k != "table"},
        }
    if len(names) > 1 and wishes.modality == "table":
        raise ConfigError(
            f"several tables: {listed(names)}", where=place.files.place, fix="name the file of one"
        )
    return _table(place, wishes, names[0]) if len(names) == 1 else None


def _table(place: Place, wishes: Wishes, name: str) -> Options | None:
    table = tables.read(place.files, name)
    names = [str(column) for column in table.columns]
    where = f"{place.files.place}/{name}"
    sure = wishes.modality == "table"
    if any(_is_number(column) for column in names):
        raise DataError(
            f"its first line looks like a sample ({', '.join(names)[:80]}), and must name the columns",
            where=where,
            fix="put a line of names on top, or name them in data.layout.header (recipes/adult.yaml)",
        )
    if not sure and len(_features(table, wishes)) < _FEATURES:
        return None
    columns.check(wishes, names, where)
    found = columns.options(table, "", wishes, where)
    key = next((n for n in names if n.casefold() in _IDS and n not in found.values()), None)
    if key and table[key].nunique() == len(table):
        found["id_col"] = key
    return {"source": "table_rows", "table": name, **found}


def _features(table: pd.DataFrame, wishes: Wishes) -> list[str]:
    """Columns that may tell the label; none where one of them names pictures, which are not here then."""
    names = [str(name) for name in table.columns]
    endings = pixels.extensions()
    for name in names:
        shown = [value for value in table[name].head(100) if value]
        if shown and all(posixpath.splitext(value)[1].lower() in endings for value in shown):
            return []
    roles = columns.roles(names) | set(wishes.given().values())
    return [name for name in names if name not in roles and table[name].nunique() > 1]


def _is_number(name: str) -> bool:
    try:
        cells.number(name)
    except ValueError:
        return False
    return True


# From the most telling to the least.
SIGNS: tuple[Sign, ...] = (_tables,)


def said(options: Options) -> str:
    """In words."""
    named = options.get("table") or ", ".join(options["tables"].values())
    return f"a table of rows ({named}, label {options['target']!r})"


def selection(found: Found, pointed: Path) -> Shipment | None:
    """Of a file that was pointed at, nothing else of its folder."""
    if pointed.is_dir() or found.root.is_file():
        return None
    name = found.options["table"]
    return Shipment({name: found.root / name})


def survey(data: DataConfig, scan: Scan, read: Reader) -> TableSurvey:
    return survey_rows(data, scan, read)


def sheet(scan: Scan, read: Reader, path: Path) -> Path:
    """Up to eight rows of each class, evenly spread over its samples, as plain text."""
    samples = surveys.usable(scan)
    lines = []
    for name in scan.classes:
        paths = samples.loc[samples["target"] == name, "path"].tolist()
        lines.append(f"{name}  {len(paths):,}")
        for number in surveys.spread(len(paths), _ACROSS):
            content = read(paths[number])
            assert isinstance(content, bytes)
            lines.append("    " + content.decode("utf-8").strip())
        lines.append("")
    write_text(path, "\n".join(lines))
    return path


def fit(tree: Any, choices: TableChoices) -> None:
    """Put choices into the tree of params.yaml."""
    tree["validate"]["max_bad_fraction"] = _MAX_BAD
    tree["validate"].pop("checks", None)  # those of the recipe are for its own data
    tree["prepare"]["numbers"]["bins"] = choices.bins
    tree["model"].update(hidden=list(choices.hidden), dropout=choices.dropout)
    choices.fit(tree, patience=5)


def told(choices: TableChoices) -> str:
    return f"layers of {', '.join(map(str, choices.hidden))}, {choices.epochs} epochs, {choices.duration}"


def doubts(data: DataConfig, seen: TableSurvey) -> list[str]:
    found = [f"taken for what they hold: {seen.told}; data.columns says otherwise where that is wrong"]
    if seen.unlabelled:
        found.append(f"{seen.unlabelled:,} samples have no usable label; `validate` names them")
    few = [str(name) for name, count in seen.counts["all"].items() if count < 3]
    if few:
        found.append(f"fewer than 3 rows, which `validate` refuses: {pins.told(few)}")
    return found
