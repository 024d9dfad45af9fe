"""Batches of sequences: NaN behind those that are shorter than the longest; like lengths come together."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convoy.data import ragged
from convoy.data.loader import Batch, Loading

# Fields of the store: (length, channels) float32 of each sample; and, in test/, UTF-8 of JSON as it came, of
# the first samples of each class, of which bundles keep some.
VALUES, CONTENT = "signal", "content"
_STEP = 8  # where lengths differ, widths are multiples of this, so that few shapes occur


def loading(preprocessor: Mapping[str, Any]) -> Loading:
    return Loading(fields=(VALUES,), collate=collate, length=VALUES)


def collate(batch: Batch) -> Batch:
    """values (B, width, C) float32 and target; padding does not change an answer."""
    return {VALUES: padded(batch), "target": batch["target"]}


def padded(batch: Batch) -> ragged.Values:
    """(B, width, C) of a gathered batch."""
    bounds = batch[ragged.offsets_of(VALUES)]
    lengths = np.diff(bounds)
    longest = int(lengths.max(initial=1))
    width = longest if (lengths == longest).all() else -(-longest // _STEP) * _STEP
    return ragged.padded(batch[VALUES], bounds, width, np.nan)
