"""Pictures whose colour mode differs from nearly all others."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "mode"
_NEARLY_ALL = 0.95


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: mode."""
    counts = samples["mode"].value_counts()
    if len(counts) < 2 or counts.iloc[0] < _NEARLY_ALL * len(samples):
        return []
    usual, share = str(counts.index[0]), counts.iloc[0] / len(samples)
    odd = samples[samples["mode"] != usual]
    return [
        Finding(row, "mode", f"its mode is {mode}; {min(share, 0.999):.1%} of the pictures are {usual}")
        for row, mode in zip(odd.index.tolist(), odd["mode"], strict=True)
    ]
