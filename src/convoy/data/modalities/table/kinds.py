"""What the columns of a table hold: said by `data.columns`, else told by nearly all of their values."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from convoy.config.tables import TableLayout
from convoy.data.modalities.table import cells

_NEARLY_ALL = 0.95


def of(table: pd.DataFrame, declared: Mapping[str, str], layout: TableLayout) -> dict[str, str]:
    """Column -> number, boolean, date or category.

    Args:
        table: the values as text, None where they are missing.
        declared: columns whose kind is said.
    """
    return {name: declared.get(name) or _told(table[name], layout) for name in map(str, table.columns)}


def problem(kind: str, layout: TableLayout) -> Callable[[str], str | None]:
    """What is wrong with a value of a column of a kind; None: nothing."""

    def tried(value: str) -> str | None:
        try:
            if kind == "number":
                cells.number(value, layout.decimal)
            elif kind == "boolean":
                cells.boolean(value)
            elif kind == "date":
                cells.date(value, layout.earliest, layout.latest)
        except ValueError as error:
            return str(error)
        return None

    return tried


def _told(column: "pd.Series[str]", layout: TableLayout) -> str:
    counts = column.dropna().value_counts()
    if counts.empty:
        return "number"
    values = [str(value) for value in counts.index]
    if len(values) <= 2 and all(
        v.casefold() in (cells.TRUE | cells.FALSE) and not v[0].isdigit() for v in values
    ):
        return "boolean"
    for kind, mark in (("number", "no number"), ("date", "is no date")):
        wrong = problem(kind, layout)
        # 1,234 is a number that somebody wrote so, 2203-01-01 a date: they are findings, no categories
        right = [mark not in (wrong(value) or "") for value in values]
        if counts.to_numpy()[right].sum() >= _NEARLY_ALL * counts.sum():
            return kind
    return "category"


def ordered(names: Sequence[str], kinds: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The columns that give numbers, and those of categories."""
    return [n for n in names if kinds[n] != "category"], [n for n in names if kinds[n] == "category"]
