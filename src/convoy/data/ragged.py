"""Arrays of samples that differ in length: flat values, and where each sample begins and ends.

A field `name` of a batch is two arrays: `name` (sum of the lengths, …) and `name.offsets` (B + 1,) int64. All
functions work on whole batches.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
Offsets = NDArray[np.int64]

# Numbers of a sample, in the mean, above which copying sample by sample is faster than place by place.
_LONG = 96


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
    ends = bounds[np.asarray(indices) + 1]
    total = offsets(ends - starts)
    if not _long(values, int(total[-1]), len(starts)):
        return values[positions(starts, ends - starts)], total
    pieces = [values[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    return np.concatenate(pieces), total


def keep(values: Values, bounds: Offsets, mask: NDArray[np.bool_]) -> tuple[Values, Offsets]:
    """Only the values where the mask (sum of the lengths,) holds."""
    kept = offsets(mask)
    return values[mask], kept[bounds]


def padded(values: Values, bounds: Offsets, width: int, fill: Any = 0) -> Values:
    """(B, width, …), every sample from the left, what is missing filled; none may be longer."""
    lengths = np.diff(bounds)
    result = np.full((len(lengths), width, *values.shape[1:]), fill, values.dtype)
    if _long(values, len(values), len(lengths)):
        for row, (start, end) in enumerate(pairwise(bounds.tolist())):
            result[row, : end - start] = values[start:end]
        return result
    rows = np.repeat(np.arange(len(lengths)), lengths)
    result[rows, np.arange(len(values)) - np.repeat(bounds[:-1], lengths)] = values
    return result


def of(samples: Sequence[Values], dtype: str) -> tuple[Values, Offsets]:
    """From one array a sample."""
    lengths = np.fromiter((len(sample) for sample in samples), np.int64, len(samples))
    flat = np.concatenate(samples).astype(dtype) if len(samples) else np.zeros(0, dtype)
    return flat, offsets(lengths)


def _long(values: Values, places: int, samples: int) -> bool:
    """Whether `samples` samples with so many `places` together are worth a Python step each."""
    return places * math.prod(values.shape[1:]) > _LONG * samples
