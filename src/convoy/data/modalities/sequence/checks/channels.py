"""Sequences whose channels differ in length, or are others than nearly all sequences have."""

import pandas as pd

from convoy.data.checks._base import Context, Finding

NAME = "channels"


def run(samples: pd.DataFrame, context: Context) -> list[Finding]:
    """Reasons: ragged, other channels. Both cannot be learned from together with the others."""
    ragged = samples[samples["reason"] == "ragged"]
    found = [
        Finding(int(row), "ragged", detail)
        for row, detail in zip(ragged.index, ragged["detail"], strict=True)
    ]
    opened = samples[samples["reason"].isna()]
    if opened.empty:
        return found
    forms = list(zip(opened["channels"].tolist(), opened["names"].map(_sorted).tolist(), strict=True))
    usual = pd.Series(forms).value_counts().index[0]
    return found + [
        Finding(int(row), "other channels", f"it has {_said(*form)}; the others have {_said(*usual)}")
        for row, form in zip(opened.index, forms, strict=True)
        if form != usual
    ]


def _sorted(names: str) -> str:
    """Their order is no difference: channels are found by their names."""
    return ", ".join(sorted(names.split(", ")))


def _said(count: int, names: str) -> str:
    return f"{count} channel{'' if count == 1 else 's'}{f' ({names})' if names else ''}"
