"""Classification metrics from a predictions table, with bootstrap intervals."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from convoy.evaluation.predictions import class_names

Counts = NDArray[np.int64]
DIGITS = 6  # decimals that are written; far below what a test set can tell apart

METRICS = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "log_loss")


@dataclass(frozen=True)
class Scored:
    """Indices of target and prediction (N,), and the loss of each sample (N,)."""

    target: Counts
    prediction: Counts
    loss: NDArray[np.float64]
    classes: list[str]


def scored(predictions: pd.DataFrame) -> Scored:
    classes = class_names(predictions)
    position = {name: n for n, name in enumerate(classes)}
    return Scored(
        target=np.asarray(predictions["target"].map(position), dtype=np.int64),
        prediction=np.asarray(predictions["prediction"].map(position), dtype=np.int64),
        loss=predictions["loss"].to_numpy(np.float64),
        classes=classes,
    )


def summary(data: Scored) -> dict[str, float]:
    """Accuracy, macro precision, recall and F1 (a ratio of 0 to 0 counts as 0), and log-loss in nats."""
    values = _of_matrices(confusion(data)[None])
    return {
        **{name: round(float(value[0]), DIGITS) for name, value in values.items()},
        "log_loss": round(float(data.loss.mean()), DIGITS),
        "samples": len(data.target),
    }


def confusion(data: Scored) -> Counts:
    """(classes, classes) counts; rows are targets, columns predictions."""
    matrix: Counts = confusion_matrix(data.target, data.prediction, labels=range(len(data.classes)))
    return matrix


def per_class(data: Scored) -> pd.DataFrame:
    """The classification report: precision, recall, F1 and support of each class, then macro and weighted."""
    labels = range(len(data.classes))
    precision, recall, f1, support = precision_recall_fscore_support(
        data.target, data.prediction, labels=labels, zero_division=0.0
    )
    report = pd.DataFrame(
        {"class": data.classes, "precision": precision, "recall": recall, "f1": f1, "support": support}
    )
    for average in ("macro", "weighted"):
        values = precision_recall_fscore_support(
            data.target, data.prediction, labels=labels, average=average, zero_division=0.0
        )
        report.loc[len(report)] = [f"{average} average", *values[:3], len(data.target)]
    return report.round(DIGITS)


def intervals(data: Scored, *, resamples: int, confidence: float, seed: int) -> dict[str, list[float]]:
    """Percentile bootstrap intervals [low, high] of every metric over the samples (Efron, 1979)."""
    size = len(data.classes)
    pair = data.target * size + data.prediction

    def statistic(index: Counts, axis: int) -> NDArray[np.float64]:
        assert axis == -1
        drawn = pair[index] + (np.arange(len(index)) * size * size)[:, None]
        matrices = np.bincount(drawn.ravel(), minlength=len(index) * size * size)
        values = _of_matrices(matrices.reshape(len(index), size, size))
        return np.stack([*values.values(), data.loss[index].mean(axis=1)])

    result = stats.bootstrap(
        (np.arange(len(pair)),),
        lambda index, axis: statistic(np.atleast_2d(index), axis),
        n_resamples=resamples,
        batch=max(1, 2_000_000 // len(pair)),
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    low, high = np.ravel(result.confidence_interval.low), np.ravel(result.confidence_interval.high)
    return {
        name: [round(float(low[n]), DIGITS), round(float(high[n]), DIGITS)] for n, name in enumerate(METRICS)
    }


def _of_matrices(matrices: Counts) -> dict[str, NDArray[np.float64]]:
    """Metrics of a stack of confusion matrices (B, classes, classes), each (B,)."""
    hits = np.diagonal(matrices, axis1=1, axis2=2).astype(np.float64)
    actual = matrices.sum(axis=2)
    predicted = matrices.sum(axis=1)
    precision = hits / np.maximum(predicted, 1)
    recall = hits / np.maximum(actual, 1)
    f1 = 2 * hits / np.maximum(actual + predicted, 1)
    return {
        "accuracy": hits.sum(axis=1) / matrices.sum(axis=(1, 2)),
        "macro_precision": precision.mean(axis=1),
        "macro_recall": recall.mean(axis=1),
        "macro_f1": f1.mean(axis=1),
    }
