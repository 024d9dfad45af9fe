"""What a network for sequences has to beat: the nearest training sequence, and a linear model.

All compare sequences of one length: each is resampled to the usual length of the training sequences, at most
256 steps.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances_chunked
from sklearn.multiclass import OneVsRestClassifier

from convoy.data import ragged
from convoy.data.modalities.sequence import signals
from convoy.data.modalities.sequence.batching import VALUES
from convoy.data.store import Store
from convoy.evaluation.baseline import Codes, Linear

_LONGEST = 256
_BAND = 0.1  # of the length, by which DTW may bend time (Sakoe and Chiba 1978)
_PAIRS = 1 << 22  # pairs of values of DTW that are in memory at once


def nearest_euclidean(training: Store, chosen: NDArray[np.int64], test: Store) -> Codes:
    """The class of the nearest training sequence, value by value."""
    known, asked = _resampled(training, chosen, test)
    flat, target = known.reshape(len(known), -1), training.target[chosen]
    parts = pairwise_distances_chunked(
        asked.reshape(len(asked), -1), flat, reduce_func=lambda found, _: found.argmin(axis=1)
    )
    nearest: Codes = target[np.concatenate([*parts, np.zeros(0, np.int64)])]
    return nearest


def nearest_dtw(training: Store, chosen: NDArray[np.int64], test: Store) -> Codes:
    """The same by dynamic time warping within a band; every pair is compared, so it is for small sets."""
    known, asked = _resampled(training, chosen, test)
    step = max(1, _PAIRS // (len(known) * known.shape[1]))
    nearest = [_dtw(asked[at : at + step], known).argmin(axis=1) for at in range(0, len(asked), step)]
    answers: Codes = training.target[chosen][np.concatenate([*nearest, np.zeros(0, np.int64)])]
    return answers


def sequence_linear(training: Store, chosen: NDArray[np.int64], test: Store) -> Codes:
    """Logistic regressions, one a class, on the resampled values."""
    known, asked = _resampled(training, chosen, test)
    target = training.target[chosen]
    if len(np.unique(target)) == 1:
        return np.full(len(test), target[0])
    model = OneVsRestClassifier(LogisticRegression(max_iter=1000, solver="liblinear"))
    model.fit(known.reshape(len(known), -1), target)
    answers: Codes = model.predict(asked.reshape(len(asked), -1)).astype(np.int64)
    return answers


BASELINES: Mapping[str, Linear] = {
    "nearest_euclidean": nearest_euclidean,
    "nearest_dtw": nearest_dtw,
    "sequence_linear": sequence_linear,
}


def _resampled(
    training: Store, chosen: NDArray[np.int64], test: Store
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(N, L, C) of both."""
    lengths = training.lengths(VALUES)[chosen]
    length = int(np.clip(np.median(lengths), 2, _LONGEST))
    return _of(training, chosen, length), _of(test, np.arange(len(test)), length)


def _of(store: Store, rows: NDArray[np.int64], length: int) -> NDArray[np.float64]:
    values, bounds = ragged.take(*store.field(VALUES), rows)
    parts = np.split(values.astype(np.float64), bounds[1:-1])
    return np.stack([signals.resampled(part, length) for part in parts])


def _dtw(asked: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distances (M, N) of (M, L, C) and (N, L, C), a diagonal of all pairs at a time."""
    length = asked.shape[1]
    band = max(1, round(_BAND * length))
    shape = (len(asked), len(known), length + 1)
    two, one = np.full(shape, np.inf), np.full(shape, np.inf)  # the two diagonals before, by row from 1 on
    two[:, :, 0] = 0
    for diagonal in range(2 * length - 1):
        low, high = max(0, diagonal - length + 1, -(-(diagonal - band) // 2)), min(diagonal, length - 1)
        high = min(high, (diagonal + band) // 2)
        rows = np.arange(low, high + 1)
        away = ((asked[:, None, rows] - known[None, :, diagonal - rows]) ** 2).sum(axis=3)
        now = np.full(shape, np.inf)
        least = np.minimum(np.minimum(one[:, :, rows], one[:, :, rows + 1]), two[:, :, rows])
        now[:, :, rows + 1] = away + least
        two, one = one, now
    distances: NDArray[np.float64] = one[:, :, length]
    return distances
