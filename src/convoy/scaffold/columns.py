"""Which column of a table is the picture, which the label, which the split: by their names and values."""

import difflib
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import pandas as pd

from convoy.data import pixels
from convoy.errors import ConfigError

Exists = Callable[[str], bool]

_LABELS = (
    "label", "class", "target", "category", "class_name", "label_name", "classname", "labels", "y",
    "类别", "标签", "分类", "类", "标注", "種類", "species", "breed", "diagnosis", "kind", "type",
)  # fmt: skip
_SPLITS = ("split", "subset", "set", "partition", "fold", "phase", "划分", "数据集", "集合")
_GROUPS = ("group", "group_id", "patient", "patient_id", "subject", "subject_id", "person", "person_id",
           "患者", "病人", "组", "分组")  # fmt: skip
_SIDES = {"train", "training", "val", "valid", "validation", "dev", "test", "testing"}
_NO_COLUMN = ("modality", "encoding")
_LOOKED_AT = 200
_ENOUGH = 0.5  # share of values that are pictures which exist
_MOST_CLASSES = 1_000


@dataclass(frozen=True)
class Wishes:
    """Columns that the user named; None: to be guessed (`time_col` is never guessed).

    `modality` and `encoding` are no columns: what the samples are, and how a file of lines is to be read.
    """

    image_col: str | None = None
    target: str | None = None
    group_col: str | None = None
    split_col: str | None = None
    time_col: str | None = None
    text_col: str | None = None
    modality: str | None = None
    encoding: str | None = None

    def given(self) -> dict[str, str]:
        """The columns, by option."""
        values = (
            (field.name, getattr(self, field.name)) for field in fields(self) if field.name not in _NO_COLUMN
        )
        return {name: value for name, value in values if value is not None}


def check(wishes: Wishes, columns: Sequence[str], where: str) -> None:
    """Raises:
    ConfigError: a column that the user named is not there.
    """
    for option, column in wishes.given().items():
        if column not in columns:
            close = difflib.get_close_matches(column, columns, 1)
            meant = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(
                f"there is no column {column!r} (--{option.replace('_', '-')})",
                where=where,
                fix=f"{meant}the columns are: {', '.join(map(repr, columns))}",
            )


def image_column(table: pd.DataFrame, exists: Exists, wishes: Wishes) -> str | None:
    """The column most of whose values are pictures that exist; None where there is none."""
    if wishes.image_col is not None:
        return wishes.image_col
    shares = {str(name): _share(_values(table[name]), exists) for name in table.columns}
    best = max(shares, key=lambda name: shares[name], default=None)
    return best if best is not None and shares[best] >= _ENOUGH else None


def options(table: pd.DataFrame, image: str, wishes: Wishes, where: str) -> dict[str, str]:
    """The columns of everything but the picture, as section `data` calls them.

    Args:
        table: all values as text.
        image: the column of the picture.

    Raises:
        ConfigError: no column, or several, could be the label.
    """
    left = [str(name) for name in table.columns if str(name) != image]
    found = {}
    split = wishes.split_col or named(left, _SPLITS)
    if split and (wishes.split_col or _sides(table[split])):
        found["split_col"] = split
    group = wishes.group_col or named(left, _GROUPS)
    if group and (wishes.group_col or table[group].nunique() < len(table)):
        found["group_col"] = group
    if wishes.time_col:
        found["time_col"] = wishes.time_col
    left = [name for name in left if name not in found.values()]
    found["target"] = wishes.target or _target(table, left, where)
    return found


def label(columns: Iterable[str]) -> str | None:
    """The column whose name says that it is the label."""
    return named(list(columns), _LABELS)


def roles(columns: Sequence[str]) -> set[str]:
    """The columns whose names say that they are the label, the split or the group."""
    found = {named(columns, names) for names in (_LABELS, _SPLITS, _GROUPS)}
    return {name for name in found if name is not None}


def _target(table: pd.DataFrame, left: Sequence[str], where: str) -> str:
    few = [name for name in left if 2 <= table[name].nunique() <= min(_MOST_CLASSES, max(2, len(table) // 2))]
    chosen = named(few, _LABELS) or named(left, _LABELS)
    if chosen is None and len(few) == 1:
        chosen = few[0]
    if chosen is None:
        many = f"it may be any of {', '.join(map(repr, few))}" if few else "no column repeats its values"
        raise ConfigError(
            f"which column is the label? {many}",
            where=where,
            fix=f"say it: --target COLUMN; the columns are: {', '.join(map(repr, table.columns))}",
        )
    return chosen


def named(columns: Sequence[str], known: Sequence[str]) -> str | None:
    """The column with the first of the known names; else one that has such a name as a part of its own."""
    plain: Mapping[str, str] = {name.strip().casefold().replace(" ", "_"): name for name in reversed(columns)}
    exact = next((plain[name] for name in known if name in plain), None)
    if exact is not None:
        return exact
    parts = {part: name for whole, name in plain.items() for part in whole.split("_") if len(part) > 1}
    return next((parts[name] for name in known if name in parts), None)


def _sides(column: "pd.Series[str]") -> bool:
    return set(column.str.strip().str.casefold().unique()) - {""} <= _SIDES


def _values(column: "pd.Series[str]") -> list[str]:
    """Up to so many of its values, evenly spread."""
    values = [value for value in column.unique() if value.strip()]
    return values[:: max(1, len(values) // _LOOKED_AT)][:_LOOKED_AT]


def _share(values: Sequence[str], exists: Exists) -> float:
    endings = pixels.extensions()
    found = sum(posixpath.splitext(value)[1].lower() in endings and exists(value) for value in values)
    return found / len(values) if values else 0.0
