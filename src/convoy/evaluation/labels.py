"""Metrics of several labels a sample, of weighted samples, and the thresholds from which a label is said.

Each label is a question of its own; F1 is averaged over the labels (macro) or over all answers (micro), the
average precision is scikit-learn's, of each label's ranking of the samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.evaluation import calibration
from convoy.evaluation.metrics import DIGITS
from convoy.evaluation.ranking import Ranking

Floats = NDArray[np.float64]
Held = NDArray[np.bool_]


@dataclass(frozen=True)
class Answered:
    """Which labels hold (N, K), their probabilities (N, K), and which are said (N, K)."""

    target: Held
    probability: Floats
    said: Held

    @property
    def error(self) -> Floats:
        """Of each sample (N,): the share of labels that are wrong (Hamming loss)."""
        wrong: Floats = (self.target != self.said).mean(axis=1)
        return wrong


class Weighted:
    """Metrics of weighted samples: weights (N, B), not negative, give B values each."""

    def __init__(self, data: Answered) -> None:
        size = data.target.shape[1]
        self._size = size
        entropy = -np.log(
            np.maximum(
                np.where(data.target, data.probability, 1 - data.probability), np.finfo(np.float32).tiny
            )
        )
        self._sums = np.concatenate(
            [
                (data.target & data.said).T,
                data.target.T,
                data.said.T,
                (data.target == data.said).all(axis=1)[None],
                data.error[None],
                entropy.mean(axis=1)[None],
            ]
        ).astype(np.float64)
        # a label alone against its absence: its ranking, as of a class against the rest
        self._rankings = [
            Ranking(data.probability[:, [n]], np.where(data.target[:, n], 0, 1)) for n in range(size)
        ]

    @property
    def area_work(self) -> int:
        """Samples that `areas` visits for each weighting."""
        return sum(ranking.work for ranking in self._rankings)

    def sums(self, weights: Floats) -> dict[str, Floats]:
        found, size = self._sums @ weights, self._size
        hits, actual, said = found[: 3 * size].reshape(3, size, -1)
        exact, hamming, entropy = found[3 * size :]
        total = weights.sum(axis=0)
        f1 = 2 * hits / np.maximum(actual + said, 1)
        return {
            "subset_accuracy": exact / total,
            "macro_f1": f1.mean(axis=0),
            "micro_f1": 2 * hits.sum(axis=0) / np.maximum((actual + said).sum(axis=0), 1),
            "hamming_loss": hamming / total,
            "log_loss": entropy / total,
        }

    def areas(self, weights: Floats) -> dict[str, Floats]:
        """mean_ap: the mean of the labels' average precisions, where some samples have the label, not all."""
        each = np.array([ranking.areas(weights)[1] for ranking in self._rankings])
        known = np.isfinite(each)
        counts = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, each, 0.0).sum(axis=0) / counts
        return {"mean_ap": np.where(known.any(axis=0), mean, np.nan)}


def summary(data: Answered) -> dict[str, float]:
    """All metrics and the number of samples."""
    weighted, ones = Weighted(data), np.ones((len(data.target), 1))
    values = {**weighted.sums(ones), **weighted.areas(ones)}
    found = {name: round(float(v[0]), DIGITS) for name, v in values.items() if np.isfinite(v[0])}
    return {**found, "samples": len(data.target)}


def by_label(data: Answered, names: Sequence[str], thresholds: Sequence[float]) -> pd.DataFrame:
    """Of each label: precision, recall, F1, average precision, how many samples have it, the threshold."""
    hits = (data.target & data.said).sum(axis=0)
    held, said = data.target.sum(axis=0), data.said.sum(axis=0)
    ones = np.ones((len(data.target), 1))
    precision = [
        float(Ranking(data.probability[:, [n]], np.where(data.target[:, n], 0, 1)).areas(ones)[1][0])
        if data.target[:, n].any()
        else np.nan
        for n in range(len(names))
    ]
    columns = {
        "precision": hits / np.maximum(said, 1),
        "recall": hits / np.maximum(held, 1),
        "f1": 2 * hits / np.maximum(held + said, 1),
        "average_precision": precision,
    }
    frame = pd.DataFrame({"label": list(names), **columns}).round(DIGITS)
    return frame.assign(support=held, threshold=list(thresholds))


def thresholds(
    probability: NDArray[np.float32], target: Held, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """For each label the probability from which saying it has the best F1: see `calibration.thresholds`."""
    return {
        name: calibration.threshold(probability[:, n].astype(np.float64), target[:, n])
        for n, name in enumerate(names)
    }
