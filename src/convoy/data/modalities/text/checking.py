"""What the gate on the data knows of texts."""

from typing import Any

import pandas as pd

from convoy.data.checks import ANY, LAST, labels, unreadable
from convoy.data.checks._base import Check
from convoy.data.modalities.text import facts as _facts
from convoy.data.modalities.text.checks import encoding, label_by_length, length, script

__all__ = ["CHECKS", "FACTS", "LAST", "NOUN", "NOUNS", "OPENING", "doubts", "facts", "summary"]

NOUN, NOUNS = "text", "texts"
FACTS = ("bytes", "characters", "words", "script")
OPENING: tuple[Check, ...] = (unreadable,)
CHECKS: tuple[Check, ...] = (*OPENING, labels, encoding, length, script, *ANY, label_by_length)
doubts = None  # no check suggests labels of texts
facts = _facts.of


def summary(kept: pd.DataFrame) -> dict[str, Any]:
    """Of the samples that stay, for report.json."""
    if kept.empty:
        return {"words": {}, "scripts": {}}
    words = kept["words"]
    return {
        "words": {"min": int(words.min()), "median": float(words.median()), "max": int(words.max())},
        "scripts": {str(name): int(count) for name, count in kept["script"].value_counts().items()},
    }
