"""Texts: a table (CSV, TSV, Parquet, JSON lines) with a column of them, or files of lines `label text`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convoy import plugins
from convoy.config.data import DataConfig
from convoy.data.files import Files
from convoy.data.sources._base import Reader, Scan, listed
from convoy.errors import ConfigError, DataError
from convoy.io import write_text
from convoy.proof import pins
from convoy.scaffold import survey as surveys
from convoy.scaffold import tables, text_columns, text_lines
from convoy.scaffold.bring import Shipment
from convoy.scaffold.columns import Wishes
from convoy.scaffold.place import Beside, Found, Options, Place, Sign
from convoy.scaffold.text_lines import Lines
from convoy.scaffold.text_survey import TextChoices, TextSurvey, choose, segmenter, survey_texts, unspaced

__all__ = [
    "COLUMNS", "NOUN", "ORDER", "RECIPE", "SHEET", "SIGNS", "WANTED", "choose", "doubts", "fit", "of_file",
    "said", "selection", "sheet", "survey", "told",
]  # fmt: skip

ORDER = 20
NOUN = "texts"
RECIPE = "waimai"
SHEET = "contact_sheet.txt"
WANTED = "a table with a column of texts, or files of lines `label text`"
COLUMNS = ("text_col",)

_ACROSS = 8  # texts of a class on the sheet
_WIDE = 200  # characters of each
_MAX_BAD = 0.05


def of_file(path: Path, wishes: Wishes) -> tuple[Path, Options] | None:
    """A table, or lines `label text` together with the files of the other splits beside it."""
    place = Place(path.parent, Beside(path))
    if tables.is_table(path.name) and path.suffix.lower() != ".txt" and wishes.encoding is None:
        return _with_root(path.parent, _table(place, wishes, path.name))
    if not text_lines.may_be(path.name):
        return None
    if _lines(place.files, path.name, wishes) is None:
        return None
    _, pattern = text_lines.split_of(path.name)
    beside = [other.name for other in sorted(path.parent.iterdir()) if other.is_file()]
    members = text_lines.sets(beside)[pattern]
    return _with_root(path.parent, _of_members(place, wishes, members))


def _with_root(root: Path, options: Options | None) -> tuple[Path, Options] | None:
    return None if options is None else (root, options)


def _tables(place: Place, wishes: Wishes) -> Options | None:
    """The one table at the top that holds texts."""
    found = [
        options
        for name in place.tops
        if tables.is_table(name) and not name.lower().endswith(".txt")
        if (options := _table(place, wishes, name)) is not None
    ]
    if len(found) > 1:
        raise _several([options["table"] for options in found], place)
    return found[0] if found else None


def _table(place: Place, wishes: Wishes, name: str) -> Options | None:
    where = f"{place.files.place}/{name}"
    if name.lower().endswith((".csv", ".tsv")):
        encoding, note = text_lines.guess(place.read(name), name)
        if note and encoding != "gb18030":  # the source reads no other by itself
            raise DataError(
                note.partition("; guessed")[0], where=where, fix=f"save it as UTF-8 (is it {encoding}?)"
            )
    table = tables.read(place.files, name)
    names = [str(column) for column in table.columns]
    if text_columns.headless(names, table):
        raise DataError(
            f"its first line looks like a sample ({', '.join(names)[:80]}), and must name the columns",
            where=where,
            fix="put a line such as label,text on top",
        )
    rivals = [other for other in plugins.names("scaffold") if other == "table"]
    found = text_columns.options(table, wishes, where, rivals=rivals)
    return None if found is None else {"source": "text_table", "table": name, **found}


def _line_files(place: Place, wishes: Wishes) -> Options | None:
    """The one set of files of lines at the top."""
    names = [name for name in place.tops if text_lines.may_be(name)]
    members = [lines for name in names if (lines := _lines(place.files, name, wishes)) is not None]
    found = text_lines.sets(lines.name for lines in members)
    if len(found) > 1:
        raise _several([", ".join(files.values()) for files in found.values()], place)
    return next((_of_members(place, wishes, files) for files in found.values()), None)


def _lines(files: Files, name: str, wishes: Wishes) -> Lines | None:
    return text_lines.recognised(name, files.read(name), wishes.encoding)


def _of_members(place: Place, wishes: Wishes, members: Mapping[str, str]) -> Options | None:
    found = {split: _lines(place.files, name, wishes) for split, name in members.items()}
    lines = {split: one for split, one in found.items() if one is not None}
    if not lines:
        return None
    if "all" in lines:
        lines = {"all": lines["all"]}
    elif "train" not in lines:
        lines = {"all": next(iter(lines.values()))}
    encoding = text_lines.common(list(lines.values()))
    options: Options = {"source": "text_lines", "lines": {split: one.name for split, one in lines.items()}}
    return {**options, "encoding": encoding} if encoding else options


def _several(names: Sequence[str], place: Place) -> ConfigError:
    return ConfigError(
        f"several sets of texts: {listed(list(names))}", where=place.files.place, fix="name the file of one"
    )


# From the most telling to the least.
SIGNS: tuple[Sign, ...] = (_tables, _line_files)


def said(options: Options) -> str:
    """In words."""
    if options["source"] == "text_table":
        return f"a table of texts ({options['table']}: {options['text_col']!r}, label {options['target']!r})"
    encoding = f", {options['encoding']}" if "encoding" in options else ""
    return f"lines `label text` ({', '.join(options['lines'].values())}{encoding})"


def selection(found: Found, pointed: Path) -> Shipment | None:
    """Of a file that was pointed at, with the files of its other splits, nothing else of its folder."""
    if pointed.is_dir() or found.root.is_file():
        return None
    names = [
        *found.options.get("lines", {}).values(),
        *([found.options["table"]] if "table" in found.options else []),
    ]
    return Shipment({name: found.root / name for name in names})


def survey(data: DataConfig, scan: Scan, read: Reader) -> TextSurvey:
    return survey_texts(scan, read)


def sheet(scan: Scan, read: Reader, path: Path) -> Path:
    """Up to eight texts of each class, evenly spread over its samples, as plain text."""
    samples = surveys.usable(scan)
    lines = []
    for name in scan.classes:
        paths = samples.loc[samples["target"] == name, "path"].tolist()
        lines.append(f"{name}  {len(paths):,}")
        for number in surveys.spread(len(paths), _ACROSS):
            content = read(paths[number])
            assert isinstance(content, bytes)
            text = " ".join(content.decode("utf-8", "replace").split())
            lines.append("    " + (text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"))
        lines.append("")
    write_text(path, "\n".join(lines))
    return path


def fit(tree: Any, choices: TextChoices) -> None:
    """Put choices into the tree of params.yaml."""
    tree["validate"]["max_bad_fraction"] = _MAX_BAD
    tree["prepare"].update(tokens=choices.tokens, min_count=choices.min_count, max_length=choices.max_length)
    choices.fit(tree, patience=5)


def told(choices: TextChoices) -> str:
    length = f"at most {choices.max_length} of a text"
    return f"{choices.tokens}, {length}, {choices.epochs} epochs, {choices.duration}"


def doubts(data: DataConfig, seen: TextSurvey) -> list[str]:
    found = []
    if data.encoding is not None:
        found.append(
            f"read as {data.encoding}, which is no UTF-8; if words look wrong in the sheet, set data.encoding"
        )
    if unspaced(seen.script) and not segmenter():
        found.append(
            "the texts have no blanks between words: characters are the tokens; for Chinese words "
            '`pip install "convoy[text]"`, then prepare.tokens: chinese'
        )
    if seen.unlabelled:
        found.append(f"{seen.unlabelled:,} samples have no usable label; `validate` names them")
    if seen.empty:
        found.append(f"{seen.empty:,} texts of those read hold no word; `validate` names them")
    few = [str(name) for name, count in seen.counts["all"].items() if count < 3]
    if few:
        found.append(f"fewer than 3 texts, which `validate` refuses: {pins.told(few)}")
    return found
