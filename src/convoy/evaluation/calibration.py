"""Calibration: a temperature fitted on the validation split, what it changes, and a threshold a class.

Temperature scaling (Guo, Pleiss, Sun & Weinberger, 2017) divides all logits by one number T; no answer
changes, only how sure it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special

from convoy.evaluation.metrics import BINS, DIGITS, confidence_bin
from convoy.evaluation.predictions import losses

Floats = NDArray[np.float64]
Targets = NDArray[np.int64]
Logits = NDArray[np.floating[Any]]

BOUNDS = (0.05, 20.0)


def fit(logits: Logits, target: Targets) -> float:
    """The temperature that fits validation logits (N, C) and targets (N,).

    The log-loss is minimised together with a normal prior on log T of the weight of one sample: it decides
    only where the samples leave T free, as when all of them are answered rightly.

    Returns:
        T within BOUNDS; 1 where no other makes the log-loss smaller.
    """
    scores = logits.astype(np.float64)

    def loss(log_t: float) -> float:
        return nll(scores / np.exp(log_t), target)

    low, high = np.log(BOUNDS)
    found = optimize.minimize_scalar(
        lambda log_t: loss(log_t) + log_t**2 / (2 * len(target)),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return round(float(np.exp(found.x)), DIGITS) if loss(float(found.x)) < loss(0.0) else 1.0


def nll(logits: Logits, target: Targets) -> float:
    """Mean negative log-likelihood, nats, of logits (N, C)."""
    scores = logits.astype(np.float64)
    return float((special.logsumexp(scores, axis=1) - scores[np.arange(len(target)), target]).mean())


def ece(probabilities: NDArray[np.floating[Any]], target: Targets, bins: int = BINS) -> float:
    """Expected calibration error of the first answer (Guo et al., 2017), bins of equal width.

    Args:
        probabilities: (N, C).
        target: (N,), index into the classes.
    """
    confidence, right = _first_answers(probabilities, target)
    gaps = np.bincount(confidence_bin(confidence, bins), weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(target))


def reliability(probabilities: NDArray[np.floating[Any]], target: Targets, bins: int = BINS) -> pd.DataFrame:
    """The bins that hold samples: bin (from 1), mean confidence, accuracy, count."""
    confidence, right = _first_answers(probabilities, target)
    number = confidence_bin(confidence, bins)
    frame = pd.DataFrame({"bin": number + 1, "confidence": confidence, "accuracy": right})
    table = frame.groupby("bin").agg(
        confidence=("confidence", "mean"), accuracy=("accuracy", "mean"), count=("accuracy", "size")
    )
    return table.reset_index().round(DIGITS)


def comparison(
    before: Mapping[str, NDArray[np.float32]],
    after: Mapping[str, NDArray[np.float32]],
    targets: Mapping[str, Targets],
) -> tuple[dict[str, dict[str, float]], pd.DataFrame]:
    """Calibration of each split before and after.

    Args:
        before: split -> probabilities (N, C).
        after: the same at the chosen temperature.
        targets: split -> (N,).

    Returns:
        split -> ece and log-loss before and after; the reliability table of all (split, stage, bin …).
    """
    facts: dict[str, dict[str, float]] = {}
    tables = []
    for split, target in targets.items():
        facts[split] = {}
        for stage, probabilities in (("before", before[split]), ("after", after[split])):
            facts[split][f"ece_{stage}"] = round(ece(probabilities, target), DIGITS)
            facts[split][f"log_loss_{stage}"] = round(float(losses(probabilities, target).mean()), DIGITS)
            table = reliability(probabilities, target)
            table.insert(0, "stage", stage)
            table.insert(0, "split", split)
            tables.append(table)
    return facts, pd.concat(tables, ignore_index=True)


def thresholds(
    probabilities: NDArray[np.floating[Any]], target: Targets, classes: Sequence[str]
) -> dict[str, dict[str, float]]:
    """For each class the probability from which "it is this class" has the best F1, one against the rest.

    It lies in the middle between two neighbouring probabilities; of equally good ones the highest is taken. A
    class that does not occur has 0.5 and nothing measured but zeros.
    """
    return {
        name: threshold(probabilities[:, number].astype(np.float64), target == number)
        for number, name in enumerate(classes)
    }


def threshold(scores: Floats, positive: NDArray[np.bool_]) -> dict[str, float]:
    """The threshold of one class or label, with its precision, recall and F1; see `thresholds`."""
    if not positive.any():
        return {"threshold": 0.5, "precision": 0.0, "recall": 0.0, "f1": 0.0}
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    following = np.append(ranked[1:], 0.0)
    hits = np.cumsum(positive[order])
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + positive.sum())
    f1[ranked == following] = -1.0  # no threshold parts equal probabilities
    best = int(f1.argmax())
    limit = round(float((ranked[best] + following[best]) / 2), DIGITS)
    chosen = scores >= limit
    right = int((chosen & positive).sum())
    return {
        "threshold": limit,
        "precision": round(right / max(int(chosen.sum()), 1), DIGITS),
        "recall": round(right / int(positive.sum()), DIGITS),
        "f1": round(2 * right / (int(chosen.sum()) + int(positive.sum())), DIGITS),
    }


def _first_answers(
    probabilities: NDArray[np.floating[Any]], target: Targets
) -> tuple[Floats, NDArray[np.float64]]:
    """Confidence of the likeliest class (N,), and 1 where it is the target, else 0."""
    right = probabilities.argmax(axis=1) == target
    return probabilities.max(axis=1).astype(np.float64), right.astype(np.float64)
