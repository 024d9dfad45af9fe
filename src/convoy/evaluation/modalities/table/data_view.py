"""Tables in the report on the data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from convoy.data.checks._base import Context
from convoy.data.sources._base import Reader
from convoy.evaluation.modalities.table.rendering import line
from convoy.evaluation.pictures import Inset, excerpt

_SMALL = 160  # characters
_COLUMNS = 40  # that are described
_NAMED = 4  # values of a category


class Look:
    """See `convoy.evaluation.data_report.Look`.

    Args:
        samples, read: of `ingest`; the facts hold the values already.
        context: of the checks.
    """

    TITLES: ClassVar[Mapping[str, tuple[str, str]]] = {
        "unreadable": ("Unreadable", "Rows that cannot be read."),
        "values": ("Values", "Cells that are not what their column holds; nothing is guessed."),
        "conflicts": ("Conflicts", "Equal rows under two labels. Beside each: the other one."),
        "leakage": ("Leakage", "Equal rows in two of the given splits. Beside each: the one that stays."),
        "near_duplicates": (
            "Equal rows",
            "Rows that say the same in every column, maybe of different people; a split keeps them together.",
        ),
        "constant": ("Constant columns", "One value in every row: nothing can be learned from them."),
        "identifiers": ("Identifiers", "Columns that name the row: they are learned by heart."),
        "missing": ("Missing values", "Columns of which much is missing."),
        "unseen": ("Unseen categories", "They stand in val or test, and nowhere in the training split."),
        "target_leaks": ("Leaking columns", "They tell the label: are they known when it is asked for?"),
    }
    FORM = ""

    def __init__(self, samples: pd.DataFrame, read: Reader, context: Context) -> None:
        self._facts = context.facts

    def small(self, rows: "pd.Index[Any]") -> Sequence[Inset]:
        return [excerpt(text, _SMALL) for text in self._lines(rows)]

    def large(self, rows: "pd.Index[Any]") -> Sequence[Inset | None]:
        return [excerpt(text) for text in self._lines(rows)]

    def facts(self, kept: pd.DataFrame) -> list[tuple[str, str]]:
        values = self._facts.values.loc[kept.index]
        kinds: dict[str, str] = self._facts.kinds
        found = [(name, _described(values[name], kind)) for name, kind in list(kinds.items())[:_COLUMNS]]
        if len(kinds) > _COLUMNS:
            found.append(("further columns", f"{len(kinds) - _COLUMNS:,}"))
        return found

    def write_doubts(self, out: Path, suggestions: pd.DataFrame) -> None:
        raise NotImplementedError("no check suggests labels of rows")

    def _lines(self, rows: "pd.Index[Any]") -> list[str]:
        return [line(row) for row in self._facts.values.loc[rows].to_dict("records")]


def _described(column: "pd.Series[str]", kind: str) -> str:
    known = column.dropna()
    missing = f"; missing {column.isna().mean():.1%}" if len(known) < len(column) else ""
    if known.empty:
        return f"{kind}; empty"
    if kind == "number":
        numbers = pd.to_numeric(known, errors="coerce").dropna()
        if len(numbers):
            low, median, high = numbers.quantile([0, 0.5, 1])
            return f"number, {low:g} to {high:g}, half up to {median:g}{missing}"
    if kind == "date":
        return f"date, {known.min()} to {known.max()}{missing}"
    counts = known.value_counts()
    named = ", ".join(f"{value} {count / len(known):.0%}" for value, count in counts.head(_NAMED).items())
    more = f" and {len(counts) - _NAMED:,} more" if len(counts) > _NAMED else ""
    return f"{kind}, {named}{more}{missing}"
