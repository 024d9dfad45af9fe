"""Texts in another script than nearly all others: a language that slipped in."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "script"
_NEARLY_ALL = 0.95


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reason: script; of a mixture without a majority, scripts, once for the whole."""
    known = samples[samples["script"] != ""]
    counts = known["script"].value_counts()
    if len(counts) < 2:
        return []
    usual, share = str(counts.index[0]), counts.iloc[0] / len(known)
    if share < _NEARLY_ALL:
        parts = ", ".join(f"{name} {count / len(known):.0%}" for name, count in counts.head(5).items())
        return [Finding(None, "scripts", f"the texts mix scripts: {parts}")]
    odd = known[known["script"] != usual]
    others = f"{min(share, 0.999):.1%} of the texts are {usual}"
    return [
        Finding(int(row), "script", f"its letters are {name}; {others}")
        for row, name in zip(odd.index, odd["script"], strict=True)
    ]
