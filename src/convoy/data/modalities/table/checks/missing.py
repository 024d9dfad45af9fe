"""Columns in which many values are missing."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "missing"
_MANY = 0.4


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: missing values; of the data as a whole, one for a column."""
    shares = context.facts.values.loc[samples.index].isna().mean()
    return [
        Finding(None, "missing values", f"column {name!r} is missing in {share:.0%} of the rows")
        for name, share in shares.items()
        if _MANY <= share < 1
    ]
