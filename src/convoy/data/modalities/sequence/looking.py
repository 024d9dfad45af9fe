"""What sequences look like, in a few numbers: what `convoy monitor` compares.

length     steps
level      the mean of the prepared values
spread     their deviation
roughness  the mean change from one step to the next
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convoy.data import ragged
from convoy.data.modalities.sequence.batching import VALUES

if TYPE_CHECKING:
    from convoy.data.store import Store

FACTS: tuple[str, ...] = ()


def of_store(store: "Store", rows: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    """Numbers (len(rows),) of prepared samples."""
    batch = store[rows]
    return _measures(batch[VALUES], batch[ragged.offsets_of(VALUES)])


def of_sample(content: Any, sample: NDArray[np.float32]) -> dict[str, float]:
    """Of the values (length, channels) of one sequence."""
    found = _measures(sample, ragged.offsets(np.array([len(sample)])))
    return {name: float(values[0]) for name, values in found.items()}


def _measures(values: NDArray[np.float32], bounds: ragged.Offsets) -> dict[str, NDArray[np.float32]]:
    wide = values.astype(np.float64)
    lengths = np.diff(bounds)
    means = _means(wide.mean(axis=1), bounds, lengths)
    squares = _means((wide**2).mean(axis=1), bounds, lengths)
    changes = np.zeros(len(wide))
    changes[1:] = np.abs(np.diff(wide, axis=0)).mean(axis=1)
    changes[bounds[:-1][lengths > 0]] = 0
    steps = np.maximum(lengths - 1, 1) / np.maximum(lengths, 1)
    return {
        "length": lengths.astype(np.float32),
        "level": means.astype(np.float32),
        "spread": np.sqrt(np.maximum(squares - means**2, 0)).astype(np.float32),
        "roughness": (_means(changes, bounds, lengths) / steps).astype(np.float32),
    }


def _means(
    values: NDArray[np.float64], bounds: ragged.Offsets, lengths: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Of each sample's values, summed from its own beginning, so that its neighbours change no bit."""
    full = lengths > 0
    sums = np.zeros(len(lengths))
    sums[full] = np.add.reduceat(values, bounds[:-1][full]) if full.any() else 0.0
    return sums / np.maximum(lengths, 1)
