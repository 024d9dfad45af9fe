"""Columns with one value: nothing can be learned from them."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "constant"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: constant; of the data as a whole, one for a column."""
    if len(samples) < 2:
        return []
    values = context.facts.values.loc[samples.index]
    found = []
    for name in values.columns:
        different = values[name].dropna().unique()
        if len(different) == 0:
            found.append(Finding(None, "constant", f"column {name!r} is empty"))
        elif len(different) == 1 and values[name].notna().all():
            found.append(Finding(None, "constant", f"column {name!r} is {different[0]!r} in every row"))
    return found
