"""What the gate on the data knows of tables."""

from typing import Any

import pandas as pd

from convoy.data.checks import ANY, LAST, labels, unreadable
from convoy.data.checks._base import Check
from convoy.data.modalities.table import facts as _facts
from convoy.data.modalities.table.checks import (
    constant,
    identifiers,
    missing,
    target_leaks,
    unseen,
    values,
)

__all__ = ["CHECKS", "FACTS", "LAST", "NOUN", "NOUNS", "OPENING", "doubts", "facts", "summary"]

NOUN, NOUNS = "row", "rows"
FACTS = ("missing",)
OPENING: tuple[Check, ...] = (unreadable,)
_OF_COLUMNS: tuple[Check, ...] = (constant, identifiers, missing, unseen, target_leaks)
CHECKS: tuple[Check, ...] = (*OPENING, labels, values, *ANY, *_OF_COLUMNS)
doubts = None  # no check suggests labels of rows
facts = _facts.of


def summary(kept: pd.DataFrame) -> dict[str, Any]:
    """Of the samples that stay, for report.json."""
    if kept.empty:
        return {"missing": {}}
    missing = kept["missing"]
    return {"missing": {"cells": int(missing.sum()), "rows": int((missing > 0).sum())}}
