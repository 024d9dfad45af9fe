"""Columns whose values name the row: a model learns them by heart, and nothing from them."""

import re

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "identifiers"
_NEARLY_ALL = 0.95  # of the values differ
_LEAST = 20  # rows
_WHOLE = re.compile(r"\d+")


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: identifier; of the data as a whole, one for a column."""
    values = context.facts.values.loc[samples.index]
    found = []
    for name, kind in context.facts.kinds.items():
        column = values[name].dropna()
        if len(column) < _LEAST or column.nunique() < _NEARLY_ALL * len(column):
            continue
        # A measure may differ in every row, too; numbers that are counted up differ in all.
        if kind == "category" or (kind == "number" and _counted(column)):
            said = f"{column.nunique():,} different values in {len(column):,} rows"
            fix = f"set data.id_col: {name}, or data.columns: {{{name}: ignore}}"
            found.append(
                Finding(None, "identifier", f"column {name!r} seems to name the rows ({said}): {fix}")
            )
    return found


def _counted(column: "pd.Series[str]") -> bool:
    """Whether whole numbers run from the least to the largest, all of them, nearly without gaps."""
    if column.nunique() < len(column) or not column.map(lambda text: bool(_WHOLE.fullmatch(text))).all():
        return False
    numbers = column.astype(float)
    return bool(numbers.max() - numbers.min() < 1.1 * len(numbers))
