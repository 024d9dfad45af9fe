"""Batches of texts: token ids, padded to the longest of the batch; texts of like length come together."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convoy.data import ragged
from convoy.data.loader import Batch, Loading

TOKENS, TEXT = "tokens", "text"  # fields of the store: ids (int32), and UTF-8 of the texts
_STEP = 8  # widths are multiples of this, so that few shapes occur


def loading(preprocessor: Mapping[str, Any]) -> Loading:
    return Loading(fields=(TOKENS,), collate=collate, length=TOKENS)


def collate(batch: Batch) -> Batch:
    """tokens (B, width) int64 and target; padding does not change an answer."""
    bounds = batch[ragged.offsets_of(TOKENS)]
    longest = int(np.diff(bounds).max(initial=1))
    width = -(-longest // _STEP) * _STEP
    tokens = ragged.padded(batch[TOKENS].astype(np.int64), bounds, width)
    return {TOKENS: tokens, "target": batch["target"]}
