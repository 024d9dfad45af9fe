"""Pictures that claim more pixels, or need more time or memory, than section `validate` allows."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "oversized"
REASONS = frozenset({"oversized", "slow", "memory"})


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reasons: oversized, slow, memory."""
    bad = samples[samples["reason"].isin(REASONS)]
    return [
        Finding(int(row), reason, detail)
        for row, reason, detail in zip(bad.index, bad["reason"], bad["detail"], strict=True)
    ]
