"""Sequences that are sampled at another rate than nearly all others."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "rate"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: rate. `prepare.rate` brings all to one."""
    known = samples[samples["rate"].notna()]
    rates = known["rate"].value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
    if len(rates) < 2:
        return []
    usual = float(rates.index[0])
    odd = known[known["rate"] != usual]
    return [
        Finding(int(row), "rate", f"it is sampled at {rate:,g} Hz, most others at {usual:,g} Hz")
        for row, rate in zip(odd.index, odd["rate"], strict=True)
    ]
