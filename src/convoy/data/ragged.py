"""Arrays of samples that differ in length: flat values, and where each sample begins and ends.

A field `name` of a batch is two arrays: `name` (sum of the lengths, …) and `name.offsets` (B + 1,) int64. All
functions work on whole batches.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
Offsets = NDArray[np.int64]


def offsets_of(name: str) -> str:
    return f"{name}.offsets"


def offsets(lengths: NDArray[Any]) -> Offsets:
    """(N,) -> (N + 1,)."""
    found: Offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    return found


def positions(starts: Offsets, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of all values of the samples that begin at `starts` (B,), one sample after the other."""
    total = offsets(lengths)
    return np.arange(total[-1]) + np.repeat(starts - total[:-1], lengths)


def take(values: Values, bounds: Offsets, indices: NDArray[np.integer[Any]]) -> tuple[Values, Offsets]:
    """The samples at `indices` (B,)."""
    starts = bounds[indices]
    lengths = bounds[np.asarray(indices) + 1] - starts
    return values[positions(starts, lengths)], offsets(lengths)


def keep(values: Values, bounds: Offsets, mask: NDArray[np.bool_]) -> tuple[Values, Offsets]:
    """Only the values where the mask (sum of the lengths,) holds."""
    kept = offsets(mask)
    return values[mask], kept[bounds]


def padded(values: Values, bounds: Offsets, width: int, fill: Any = 0) -> Values:
    """(B, width, …), every sample from the left, what is missing filled; none may be longer."""
    lengths = np.diff(bounds)
    result = np.full((len(lengths), width, *values.shape[1:]), fill, values.dtype)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    result[rows, np.arange(len(values)) - np.repeat(bounds[:-1], lengths)] = values
    return result


def of(samples: Sequence[Values], dtype: str) -> tuple[Values, Offsets]:
    """From one array a sample."""
    lengths = np.fromiter((len(sample) for sample in samples), np.int64, len(samples))
    flat = np.concatenate(samples).astype(dtype) if len(samples) else np.zeros(0, dtype)
    return flat, offsets(lengths)
