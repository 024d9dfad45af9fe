"""Sequences of which a channel, or every one, never changes: a sensor that was off."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "constant"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: constant."""
    bad = samples[samples["constant"] > 0]
    return [
        Finding(int(row), "constant", _said(int(constant), int(channels)))
        for row, constant, channels in zip(bad.index, bad["constant"], bad["channels"], strict=True)
    ]


def _said(constant: int, channels: int) -> str:
    if constant == channels:
        return "it never changes"
    return f"{constant} of its {channels} channels never change{'s' if constant == 1 else ''}"
