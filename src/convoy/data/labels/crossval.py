"""Out-of-fold probabilities of a kernel machine: Gaussian kernel, ridge penalty, one linear system a fold.

A least-squares support vector machine (Suykens & Vandewalle, 1999) on at most 2,048 centres (the subset of
regressors of Rasmussen & Williams, 2006, section 8.3.1). It was taken for what it finds: of 30 flipped labels
among the 2,062 hand signs 29 stand among the first 60, with a multinomial logistic regression 26 to 27.
The Gram matrix is the sum of those of the folds, so each fold's training matrix is a difference.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.optimize import minimize_scalar

from convoy.data._threads import in_chunks
from convoy.data.labels.folds import FOLDS

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

DIGITS = 6  # of a probability: what differs beyond is the order of additions
_MOST_CENTRES = 2_048
_MOST_LEARNERS = 10_000  # samples that the machines learn from; all are judged
_RIDGE = 0.1
_JITTER = 1e-6
_CHUNK = 4_096
_SHARPNESS = (-2.0, 6.0)  # natural logarithm


def probabilities(
    features: NDArray[np.float32], codes: Codes, fold: Codes, classes: int, seed: int
) -> Floats:
    """Of each sample, from a machine that has seen nothing of its fold: (N, classes), rows sum to 1.

    Args:
        features: (N, D), of about unit variance in sum.
        codes: (N,) given classes.
        fold: (N,) in 0..4.
        classes: number of classes, each of which has a sample.
        seed: draws centres and learners where there are more samples than are used.
    """
    random = np.random.default_rng(seed)
    learners = _drawn(len(features), _MOST_LEARNERS, random)
    centres = features[learners][_drawn(len(learners), _MOST_CENTRES, random)]
    prior = np.bincount(codes[learners], minlength=classes) / len(learners)
    grams, sides = _normal_equations(features[learners], codes[learners], fold[learners], centres, prior)
    gram, side = np.sum(grams, axis=0), np.sum(sides, axis=0)
    penalty = _RIDGE * _kernel(centres, centres)
    penalty[np.diag_indices(len(centres))] += _JITTER
    scores = np.empty((len(features), classes))

    def judge(numbers: range) -> None:
        for number in numbers:
            rows = np.flatnonzero(fold == number)
            matrix = gram - grams[number] + penalty
            weights = linalg.solve(matrix, side - sides[number], assume_a="pos", overwrite_a=True)
            for start in range(0, len(rows), _CHUNK):
                part = rows[start : start + _CHUNK]
                scores[part] = _kernel(features[part], centres) @ weights + prior

    for _ in in_chunks(judge, FOLDS, 1):
        pass
    return _softmax(_sharpness(scores, codes) * scores).round(DIGITS)


def _drawn(length: int, most: int, random: np.random.Generator) -> Codes:
    if length <= most:
        return np.arange(length)
    return np.sort(random.choice(length, most, replace=False))


def _normal_equations(
    features: NDArray[np.float32], codes: Codes, fold: Codes, centres: NDArray[np.float32], prior: Floats
) -> tuple[list[Floats], list[Floats]]:
    """The Gram matrix and the right side of each fold, (M, M) and (M, classes)."""

    def of(numbers: range) -> list[tuple[Floats, Floats]]:
        found = []
        for number in numbers:
            rows = np.flatnonzero(fold == number)
            kernel = _kernel(features[rows], centres)
            targets = np.eye(len(prior))[codes[rows]] - prior
            found.append((kernel.T @ kernel, kernel.T @ targets))
        return found

    pairs = [pair for part in in_chunks(of, FOLDS, 1) for pair in part]
    return [gram for gram, _ in pairs], [side for _, side in pairs]


def _kernel(some: NDArray[np.float32], others: NDArray[np.float32]) -> Floats:
    """exp(-|a - b|²) of all pairs, (len(some), len(others))."""
    squares = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None] - 2 * (some @ others.T)
    result: Floats = np.exp(-np.maximum(squares, 0)).astype(np.float64)
    return result


def _sharpness(scores: Floats, codes: Codes) -> float:
    """The factor that makes scores probabilities: it fits the given labels best (Guo et al., 2017)."""
    rows = np.arange(len(codes))

    def loss(logarithm: float) -> float:
        likelihood = _softmax(np.exp(logarithm) * scores)[rows, codes]
        return float(-np.log(np.maximum(likelihood, 1e-12)).mean())

    found = minimize_scalar(loss, bounds=_SHARPNESS, method="bounded", options={"xatol": 1e-3})
    return float(np.exp(np.round(found.x, 3)))


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    result: Floats = powers / powers.sum(axis=1, keepdims=True)
    return result
