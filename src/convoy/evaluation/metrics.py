"""Classification metrics from a predictions table.

Every metric is computed for many weightings of the samples at once: weights of one give the metric itself,
the counts of bootstrap draws its distribution (`convoy.evaluation.intervals`), so the two cannot disagree.
All but the areas under curves follow from sums over the samples, which one sparse product yields.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from convoy.evaluation.predictions import class_names, losses
from convoy.evaluation.ranking import Ranking

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
DIGITS = 6  # decimals that are written; far below what a test set can tell apart
TOP = 3
BINS = 15  # of the expected calibration error


@dataclass(frozen=True)
class Scored:
    """Indices of target and prediction (N,), the loss of each sample (N,), probabilities (N, classes)."""

    target: Counts
    prediction: Counts
    loss: Floats
    probability: Floats
    classes: list[str]


def scored(predictions: pd.DataFrame) -> Scored:
    classes = class_names(predictions)
    position = {name: n for n, name in enumerate(classes)}
    return Scored(
        target=np.asarray(predictions["target"].map(position), dtype=np.int64),
        prediction=np.asarray(predictions["prediction"].map(position), dtype=np.int64),
        loss=predictions["loss"].to_numpy(np.float64),
        probability=predictions[[f"p:{name}" for name in classes]].to_numpy(np.float64),
        classes=classes,
    )


def of_probabilities(probability: NDArray[np.float32], target: Counts, classes: list[str]) -> Scored:
    """From probabilities (N, classes) and targets (N,); the likeliest class is the prediction."""
    prediction = probability.argmax(axis=1)
    return Scored(target, prediction, losses(probability, target), probability.astype(np.float64), classes)


def summary(data: Scored) -> dict[str, float]:
    """All metrics and the number of samples; one that is undefined here (an area with one class) is left out.

    A ratio of 0 to 0 counts as 0. Averages are over all classes, `balanced_accuracy` and the areas over those
    that occur. Areas are one against the rest. Log-loss in nats. The Brier score is halved for two classes,
    as is usual.
    """
    weighted, ones = Weighted(data), np.ones((len(data.target), 1))
    values = {**weighted.sums(ones), **weighted.areas(ones)}
    found = {name: round(float(v[0]), DIGITS) for name, v in values.items() if np.isfinite(v[0])}
    return {**found, "samples": len(data.target)}


def confusion(data: Scored) -> Counts:
    """(classes, classes) counts; rows are targets, columns predictions."""
    size = len(data.classes)
    matrix: Counts = np.bincount(data.target * size + data.prediction, minlength=size * size)
    return matrix.reshape(size, size)


def per_class(data: Scored) -> pd.DataFrame:
    """The classification report: precision, recall, F1, support of each class; three averages."""
    matrix = confusion(data)
    hits, support, predicted = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    values = np.stack(
        [
            hits / np.maximum(predicted, 1),
            hits / np.maximum(support, 1),
            2 * hits / np.maximum(support + predicted, 1),
        ]
    )
    total = len(data.target)
    averages = [
        ("micro", np.full(3, hits.sum() / total)),
        ("macro", values.mean(axis=1)),
        ("weighted", values @ support / total),
    ]
    report = pd.DataFrame(dict(zip(("precision", "recall", "f1"), values, strict=True)))
    report.insert(0, "class", data.classes)
    report["support"] = support
    for name, average in averages:
        report.loc[len(report)] = [f"{name} average", *average, total]
    return report.round(DIGITS)


class Weighted:
    """Metrics of weighted samples: weights (N, B), not negative, give B values each."""

    def __init__(self, data: Scored) -> None:
        self._classes = len(data.classes)
        self._sums = _sums_of(data)
        self._ranking = Ranking(data.probability, data.target)

    @property
    def area_work(self) -> int:
        """Samples that `areas` visits for each weighting."""
        return self._ranking.work

    def areas(self, weights: Floats) -> dict[str, Floats]:
        """`roc_auc` and `pr_auc`; NaN where a weighting leaves fewer than two classes."""
        roc, pr = self._ranking.areas(weights)
        return {"roc_auc": roc, "pr_auc": pr}

    def sums(self, weights: Floats) -> dict[str, Floats]:
        """All other metrics."""
        size = self._classes
        found = np.asarray(self._sums @ weights)
        hits, actual, predicted = found[:size], found[size : 2 * size], found[2 * size : 3 * size]
        loss, brier, top = found[3 * size : 3 * size + 3]
        total = actual.sum(axis=0)
        recall = hits / np.maximum(actual, 1)
        f1 = 2 * hits / np.maximum(actual + predicted, 1)
        values = {
            "accuracy": hits.sum(axis=0) / total,
            "balanced_accuracy": recall.sum(axis=0) / (actual > 0).sum(axis=0),
            "macro_precision": (hits / np.maximum(predicted, 1)).mean(axis=0),
            "macro_recall": recall.mean(axis=0),
            "macro_f1": f1.mean(axis=0),
            "weighted_f1": (f1 * actual).sum(axis=0) / total,
            "mcc": _matthews(hits, actual, predicted, total),
        }
        if size > TOP:
            values[f"top_{TOP}_accuracy"] = top / total
        gaps = np.abs(found[3 * size + 3 :]).sum(axis=0)
        return {**values, "log_loss": loss / total, "brier": brier / total, "ece": gaps / total}


def confidence_bin(confidence: Floats, bins: int = BINS) -> Counts:
    """Number, from 0, of the bin of equal width in (0, 1] that holds each confidence (N,)."""
    number: Counts = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return number


def _sums_of(data: Scored) -> sparse.csr_array:
    """What each sample adds to each sum: (3 classes + 3 + BINS, N).

    Rows: right answers, occurrences, predictions by class; loss, Brier, target among the first three; by bin
    of confidence, how far being right lies above the confidence.
    """
    target, prediction, size = data.target, data.prediction, len(data.classes)
    every = np.arange(len(target))
    of_target = data.probability[every, target]
    confidence = data.probability[every, prediction]
    brier = np.square(data.probability).sum(axis=1) - 2 * of_target + 1
    right = (target == prediction).astype(np.float64)
    ones = np.ones(len(target))
    entries = [
        (target, right),
        (size + target, ones),
        (2 * size + prediction, ones),
        (np.full(len(target), 3 * size), data.loss),
        (np.full(len(target), 3 * size + 1), brier / 2 if size == 2 else brier),
        (np.full(len(target), 3 * size + 2), (_rank(data.probability, target) < TOP).astype(np.float64)),
        (3 * size + 3 + confidence_bin(confidence), right - confidence),
    ]
    rows = np.concatenate([row for row, _ in entries])
    values = np.concatenate([value for _, value in entries])
    columns = np.tile(every, len(entries))
    return sparse.coo_array((values, (rows, columns)), shape=(3 * size + 3 + BINS, len(target))).tocsr()


def _rank(probability: Floats, target: Counts) -> Counts:
    """How many classes stand before the target (N,): likelier ones, and equal ones that come first."""
    of_target = np.take_along_axis(probability, target[:, None], axis=1)
    before = np.arange(probability.shape[1]) < target[:, None]
    ahead: Counts = ((probability > of_target) | ((probability == of_target) & before)).sum(axis=1)
    return ahead


def _matthews(hits: Floats, actual: Floats, predicted: Floats, total: Floats) -> Floats:
    """The coefficient for many classes (Gorodkin, 2004), (B,); 0 where a side is constant."""
    covariance = hits.sum(axis=0) * total - (actual * predicted).sum(axis=0)
    spread = (total**2 - (predicted**2).sum(axis=0)) * (total**2 - (actual**2).sum(axis=0))
    result: Floats = np.where(spread > 0, covariance / np.sqrt(np.maximum(spread, 1)), 0.0)
    return result
