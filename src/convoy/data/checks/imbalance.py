"""A class far smaller than the largest."""

import pandas as pd

from convoy.data import manifest
from convoy.data.checks._base import Context, Finding, number

NAME = "imbalance"
_TIMES = 10


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: imbalance; of the data as a whole, one for a class."""
    if context.task != "classification":
        return []
    counts = manifest.counts(samples, context.classes)
    largest = max(counts, key=lambda name: counts[name], default=None)
    if largest is None:
        return []
    return [
        Finding(
            None,
            "imbalance",
            f"class {name!r} has {number(count)} samples, {largest!r} has {number(counts[largest])}: "
            f"{counts[largest] / count:.0f} times as many",
        )
        for name, count in counts.items()
        if 0 < count * _TIMES <= counts[largest]
    ]
