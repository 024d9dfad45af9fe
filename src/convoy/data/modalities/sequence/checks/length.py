"""Sequences far longer than the others, of which `prepare.max_length` may cut off the end."""

import numpy as np
import pandas as pd

from convoy.data.checks._base import Context, Finding, number

NAME = "length"
_TIMES = 10.0  # the median


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: long."""
    if samples.empty:
        return []
    usual = max(1.0, float(np.median(samples["length"])))
    long = samples[samples["length"] >= _TIMES * usual]
    return [
        Finding(int(row), "long", f"{number(steps)} steps; the others have about {number(usual)}")
        for row, steps in zip(long.index, long["length"], strict=True)
    ]
