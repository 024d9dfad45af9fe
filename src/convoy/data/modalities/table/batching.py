"""Batches of rows: their cells as they are stored, and the features that a network takes of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data import ragged
from convoy.data.loader import Batch, Loading
from convoy.data.modalities.table.cells import Cells, Transformer
from convoy.data.store import Store

NUMBERS, CODES, ROW = "numbers", "codes", "row"  # fields of the store: float64, int32, and UTF-8 of the JSON
FEATURES = "features"


def loading(preprocessor: Mapping[str, Any]) -> Loading:
    transform = Transformer(preprocessor["spec"])

    def collate(batch: Batch) -> Batch:
        """features (B, F) float32, and target."""
        return {FEATURES: transform(cells(batch)), "target": batch["target"]}

    return Loading(fields=(NUMBERS, CODES), collate=collate)


def cells(batch: Mapping[str, NDArray[Any]]) -> Cells:
    """(B, numbers + categories) of a gathered batch."""
    return np.concatenate([_matrix(batch, NUMBERS), _matrix(batch, CODES)], axis=1, dtype=np.float64)


def matrices(store: Store, rows: NDArray[np.int64] | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Numbers (N, numbers) and codes (N, categories) of a store's samples."""
    batch = store[np.arange(len(store)) if rows is None else rows]
    return _matrix(batch, NUMBERS), _matrix(batch, CODES)


def fields(cells: Cells, width: int) -> dict[str, tuple[NDArray[Any], NDArray[np.int64]]]:
    """Cells as a store holds them; the first `width` are numbers."""
    numbers, codes = cells[:, :width], cells[:, width:]
    return {
        NUMBERS: (np.ascontiguousarray(numbers).reshape(-1).astype("<f8"), _even(numbers)),
        CODES: (np.ascontiguousarray(codes).reshape(-1).astype("<i4"), _even(codes)),
    }


def _even(values: NDArray[Any]) -> NDArray[np.int64]:
    return ragged.offsets(np.full(len(values), values.shape[1], np.int64))


def _matrix(batch: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    count = len(batch[ragged.offsets_of(name)]) - 1
    return batch[name].reshape(count, -1) if count else batch[name].reshape(0, 0)
