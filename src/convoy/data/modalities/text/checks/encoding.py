"""Texts with characters that a wrong encoding leaves behind."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "encoding"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: encoding."""
    bad = samples[samples["foreign"] > 0]
    return [
        Finding(int(row), "encoding", f"{share:.0%} of its characters look like a wrong encoding")
        for row, share in zip(bad.index, bad["foreign"], strict=True)
    ]
