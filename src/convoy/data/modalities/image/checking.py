"""What the gate on the data knows of pictures."""

from typing import Any

import pandas as pd

from convoy.data import facts as _facts
from convoy.data.checks import CHECKS as _OF_PICTURES
from convoy.data.checks import LAST, OPENING, Check
from convoy.data.labels import check as doubts

NOUN, NOUNS = "picture", "pictures"
FACTS = ("width", "height", "mode", "bytes")  # what the sample table keeps
CHECKS: tuple[Check, ...] = (*_OF_PICTURES, doubts)
facts = _facts.of

__all__ = ["CHECKS", "FACTS", "LAST", "NOUN", "NOUNS", "OPENING", "doubts", "facts", "summary"]


def summary(kept: pd.DataFrame) -> dict[str, Any]:
    """Of the samples that stay, for report.json."""
    return {
        "sizes": {
            side: {"min": int(kept[side].min()), "max": int(kept[side].max())}
            for side in ("width", "height")
            if len(kept)
        },
        "modes": {str(mode): int(count) for mode, count in kept["mode"].value_counts().items()},
    }
