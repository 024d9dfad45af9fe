"""What texts look like, in a few numbers: what `convoy monitor` compares.

length   tokens that count, at most `max_length`
unknown  the share of them that the vocabulary does not hold: words that the model never learned
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convoy.data import ragged
from convoy.data.modalities.text import tokens
from convoy.data.modalities.text.batching import TOKENS

if TYPE_CHECKING:
    from convoy.data.store import Store

FACTS: tuple[str, ...] = ()
_UNKNOWN = tokens.SPECIAL.index(tokens.UNKNOWN)


def of_store(store: "Store", rows: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    """Numbers (len(rows),) of prepared samples."""
    batch = store[rows]
    return _measures(batch[TOKENS], batch[ragged.offsets_of(TOKENS)])


def of_sample(content: Any, sample: NDArray[np.integer[Any]]) -> dict[str, float]:
    """Of the token ids (length,) of one text."""
    found = _measures(sample, ragged.offsets(np.array([len(sample)])))
    return {name: float(values[0]) for name, values in found.items()}


def _measures(ids: NDArray[np.integer[Any]], bounds: ragged.Offsets) -> dict[str, NDArray[np.float32]]:
    lengths = np.diff(bounds)
    unknown = np.diff(ragged.offsets(ids == _UNKNOWN)[bounds])
    return {
        "length": lengths.astype(np.float32),
        "unknown": (unknown / np.maximum(lengths, 1)).astype(np.float32),
    }
