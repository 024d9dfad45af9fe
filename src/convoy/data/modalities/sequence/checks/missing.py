"""Sequences with missing or infinite values."""

import pandas as pd

from convoy.data.checks._base import Context, Finding, number

NAME = "missing"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: missing values. What becomes of them says `prepare.missing`."""
    bad = samples[samples["gaps"] > 0]
    values = bad["length"] * bad["channels"]
    return [
        Finding(
            int(row),
            "missing values",
            f"{number(gaps)} of its {number(count)} values are missing or infinite",
        )
        for row, gaps, count in zip(bad.index, bad["gaps"], values, strict=True)
    ]
