"""What a network has to beat: the commonest class, and a linear model on oriented gradients."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import f1_score

from convoy.data.store import Store
from convoy.evaluation import hog
from convoy.evaluation.intervals import Resampling, paired_accuracy
from convoy.evaluation.metrics import DIGITS

Codes = NDArray[np.int64]
Name = Literal["hog_linear", "none"]

MOST_TRAINING = 10_000  # samples that the linear model learns from
_RIDGE = 1.0


def compare(
    name: Name,
    training: Store,
    test: Store,
    prediction: Codes,
    classes: Sequence[str],
    how: Resampling,
) -> dict[str, Any]:
    """The baseline's scores on the test split, and by how much the network beats its accuracy.

    Args:
        name: `none` compares with the commonest class alone (named `majority`).
        training: the split that both learned from.
        test: in the order of `prediction`.
        prediction: the network's, (N,) indices of classes.

    Returns:
        majority_accuracy; name, accuracy and macro_f1 of the baseline; trained_on, its number of training
        samples; difference, the network's accuracy less the baseline's, and its paired bootstrap interval.
    """
    majority = np.full(len(test), np.bincount(training.target, minlength=len(classes)).argmax())
    if name == "hog_linear":
        chosen = subset(len(training), MOST_TRAINING, how.seed)
        answers = hog_linear(training.images[chosen], training.target[chosen], test.images)
    else:
        chosen, answers = np.arange(len(training)), majority
    target = test.target
    difference, interval = paired_accuracy(prediction == target, answers == target, how)
    f1 = f1_score(target, answers, labels=range(len(classes)), average="macro", zero_division=0.0)
    return {
        "majority_accuracy": round(float((majority == target).mean()), DIGITS),
        "name": name if name != "none" else "majority",
        "accuracy": round(float((answers == target).mean()), DIGITS),
        "macro_f1": round(float(f1), DIGITS),
        "trained_on": len(chosen),
        "difference": difference,
        "interval": interval,
    }


def hog_linear(images: NDArray[np.uint8], target: Codes, others: NDArray[np.uint8]) -> Codes:
    """Answers for pictures (M, H, W, C) of a linear model fitted to pictures (N, H, W, C) and targets (N,).

    A ridge classifier, that is a least-squares support vector machine (Suykens & Vandewalle, 1999): one
    linear system, whatever the number of classes.
    """
    if len(np.unique(target)) == 1:
        return np.full(len(others), target[0])
    model = RidgeClassifier(alpha=_RIDGE).fit(hog.features(images), target)
    answers: Codes = model.predict(hog.features(others)).astype(np.int64)
    return answers


def subset(length: int, most: int, seed: int) -> NDArray[np.int64]:
    """At most `most` of `length` positions, drawn without replacement, in order."""
    if length <= most:
        return np.arange(length)
    return np.sort(np.random.default_rng(seed).choice(length, most, replace=False))
