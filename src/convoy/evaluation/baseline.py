"""What a network has to beat: the commonest class, and a linear model on classical features."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from convoy.data.store import Store
from convoy.evaluation.intervals import Resampling, paired_accuracy
from convoy.evaluation.metrics import DIGITS

Codes = NDArray[np.int64]
Linear = Callable[[Store, NDArray[np.int64], Store], Codes]  # training, which of it, test -> answers to test

MOST_TRAINING = 10_000  # samples that the linear model learns from


def compare(
    name: str,
    training: Store,
    test: Store,
    prediction: Codes,
    classes: Sequence[str],
    how: Resampling,
    known: Mapping[str, Linear],
) -> dict[str, Any]:
    """The baseline's scores on the test split, and by how much the network beats its accuracy.

    Args:
        name: `none` compares with the commonest class alone (named `majority`).
        training: the split that both learned from.
        test: in the order of `prediction`.
        prediction: the network's, (N,) indices of classes.
        known: the modality's baselines.

    Returns:
        majority_accuracy; name, accuracy and macro_f1 of the baseline; trained_on, its number of training
        samples; difference, the network's accuracy less the baseline's, and its paired bootstrap interval.
    """
    majority = np.full(len(test), np.bincount(training.target, minlength=len(classes)).argmax())
    if name != "none":
        most = getattr(known[name], "most_training", MOST_TRAINING)
        chosen = subset(len(training), most, how.seed)
        answers = known[name](training, chosen, test)
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


def subset(length: int, most: int, seed: int) -> NDArray[np.int64]:
    """At most `most` of `length` positions, drawn without replacement, in order."""
    if length <= most:
        return np.arange(length)
    return np.sort(np.random.default_rng(seed).choice(length, most, replace=False))
