"""Pictures in the report on a model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifier

from convoy.data.augment import Policy
from convoy.data.store import Store
from convoy.evaluation import heatmaps, hog, pictures, robustness
from convoy.evaluation.baseline import Codes, Linear
from convoy.evaluation.pictures import Shown
from convoy.training.network import Network

Images = NDArray[np.uint8]

NOUNS = "pictures"
EXPLAINED = "Beside each picture: what spoke for the wrong answer (HiResCAM), the brighter the more."
_RIDGE = 1.0


def samples(store: Store, preprocessor: Mapping[str, Any]) -> Images:
    """(N, H, W, C)."""
    return store.images


def measures(store: Store) -> dict[str, NDArray[Any]]:
    """Columns of the predictions table."""
    return measured(store.images)


def measured(images: Images) -> dict[str, NDArray[Any]]:
    """brightness: the mean pixel (N,), 0 to 255, of prepared pictures (N, H, W, C)."""
    means: NDArray[np.float64] = images.reshape(len(images), -1).mean(axis=1, dtype=np.float64)
    return {"brightness": means.round(2)}


def changed(policy: Policy, images: Images, rows: slice, seed: int) -> Images:
    """Some of the samples, augmented."""
    return policy(images[rows], seed)


def damaged(
    images: Images,
    target: Codes,
    answer: Callable[[Images], Codes],
    *,
    confidence: float,
    seed: int,
) -> pd.DataFrame:
    """See `robustness.measure`."""
    return robustness.measure(images, target, answer, confidence=confidence, seed=seed)


def corrupted(images: Images, seed: int) -> Iterator[tuple[str, int, str, Images]]:
    """See `robustness.unmoved`."""
    return robustness.unmoved(images, seed)


def shown(store: Store, rows: NDArray[np.int64]) -> Sequence[Shown]:
    """What reports show of the samples at `rows`."""
    return np.take(store.images, rows, axis=0)  # type: ignore[return-value]  # an array is a sequence here


def explained(
    network: Network,
    store: Store,
    rows: NDArray[np.int64],
    classes: Codes,
    preprocessor: Mapping[str, Any],
) -> list[tuple[Shown, Shown | None]]:
    """The pictures, and heat-maps of what spoke for the classes."""
    images: Images = np.take(store.images, rows, axis=0)
    heat = heatmaps.grad_cam(network, images, classes)
    return [(image, pictures.overlay(image, each)) for image, each in zip(images, heat, strict=True)]


def draw_mistakes(
    wrong: pd.DataFrame, store: Store, rows: NDArray[np.int64], classes: Sequence[str], path: Path
) -> None:
    """mistakes.png: the samples at `rows`, which are those of `wrong`."""
    pictures.mistakes(wrong, np.take(store.images, rows, axis=0), classes, path)


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


def _hog_linear(training: Store, chosen: NDArray[np.int64], test: Store) -> Codes:
    return hog_linear(training.images[chosen], training.target[chosen], test.images)


BASELINES: Mapping[str, Linear] = {"hog_linear": _hog_linear}
