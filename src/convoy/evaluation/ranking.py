"""Areas under the ROC and the precision-recall curve, one class against the rest, for weighted samples.

Only the samples at or above a class's lowest positive can change an area; those are sorted once, negatives
between two positives are merged, and each weighting then costs a sparse product and two running sums.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]


class Ranking:
    """Scores (N, classes) and targets (N,), sorted for `areas`."""

    def __init__(self, scores: Floats, target: NDArray[np.int64]) -> None:
        occurring = [number for number in range(scores.shape[1]) if (target == number).any()]
        self._classes = [_segments(scores[:, number], target == number) for number in occurring]
        self.work = sum(positive.nnz + negative.nnz for positive, negative in self._classes)

    def areas(self, weights: Floats) -> tuple[Floats, Floats]:
        """Means over the classes that have positives and negatives: (B,) each, NaN where none has.

        Args:
            weights: (N, B).

        Returns:
            The area under the ROC curve, ties counting half, and the average precision, which is the area
            under the precision-recall curve as scikit-learn defines it.
        """
        total = weights.sum(axis=0)
        roc, pr, defined = np.zeros_like(total), np.zeros_like(total), np.zeros_like(total)
        for positives, negatives in self._classes:
            positive, negative = np.asarray(positives @ weights), np.asarray(negatives @ weights)
            above, false = positive.cumsum(axis=0), negative.cumsum(axis=0)
            present = above[-1]
            absent = total - present
            valid = (present > 0) & (absent > 0)
            below = absent - false + negative / 2
            pairs = np.where(valid, present * absent, 1.0)
            precision = above / np.maximum(above + false, 1.0)
            roc += np.where(valid, (positive * below).sum(axis=0) / pairs, 0.0)
            pr += np.where(valid, (positive * precision).sum(axis=0) / np.maximum(present, 1.0), 0.0)
            defined += valid
        count = np.where(defined > 0, defined, np.nan)
        return roc / count, pr / count


def _segments(scores: Floats, positive: NDArray[np.bool_]) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Which positives and which negatives each segment holds, by falling score: (segments, N) of ones each.

    A segment is one score that some positive has, or all negatives between two such scores.
    """
    zone = np.flatnonzero(scores >= scores[positive].min())
    zone = zone[np.argsort(-scores[zone], kind="stable")]
    group = np.concatenate([[0], np.cumsum(np.diff(scores[zone]) != 0)])
    holds = np.bincount(group, weights=positive[zone]) > 0
    starts = np.concatenate([[True], holds[1:] | holds[:-1]])
    segment = (np.cumsum(starts) - 1)[group]
    shape = (int(segment[-1]) + 1, len(scores))
    is_positive = positive[zone]
    return (
        _incidence(segment[is_positive], zone[is_positive], shape),
        _incidence(segment[~is_positive], zone[~is_positive], shape),
    )


def _incidence(
    rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]
) -> sparse.csr_array:
    return sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=shape).tocsr()
