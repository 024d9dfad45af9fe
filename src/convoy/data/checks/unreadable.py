"""Files that are missing, empty, truncated or damaged, or that break their decoder."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "unreadable"
REASONS = frozenset({"missing", "empty", "truncated", "undecodable", "crash"})


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reasons: missing, empty, truncated, undecodable, crash."""
    bad = samples[samples["reason"].isin(REASONS)]
    return [
        Finding(int(row), reason, detail)
        for row, reason, detail in zip(bad.index, bad["reason"], bad["detail"], strict=True)
    ]
