"""What the gate on the data knows of sequences."""

from typing import Any

import pandas as pd

from convoy.data.checks import ANY, LAST, labels, unreadable
from convoy.data.checks._base import Check
from convoy.data.modalities.sequence import facts as _facts
from convoy.data.modalities.sequence.checks import channels, constant, label_by_length, length, missing, rate

__all__ = ["CHECKS", "FACTS", "LAST", "NOUN", "NOUNS", "OPENING", "doubts", "facts", "summary"]

NOUN, NOUNS = "sequence", "sequences"
FACTS: tuple[str, ...] = ()
OPENING: tuple[Check, ...] = (unreadable, channels)
CHECKS: tuple[Check, ...] = (*OPENING, labels, missing, constant, length, rate, *ANY, label_by_length)
doubts = None  # no check suggests labels of sequences
facts = _facts.of


def summary(kept: pd.DataFrame) -> dict[str, Any]:
    """Of the samples that stay, for report.json."""
    if kept.empty:
        return {"lengths": {}, "channels": {}}
    steps = kept["length"]
    return {
        "lengths": {"min": int(steps.min()), "median": float(steps.median()), "max": int(steps.max())},
        "channels": {str(count): int(rows) for count, rows in kept["channels"].value_counts().items()},
    }
