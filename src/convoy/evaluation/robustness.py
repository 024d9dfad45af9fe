"""Robustness: accuracy on test pictures corrupted in five ways at three strengths, after ImageNet-C.

(Hendrycks & Dietterich, 2019.) The corruptions are albumentations' own. Those with a direction (rotation,
brightness) go one way on every second picture and the other way on the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data.augment import Policy, Spec
from convoy.data.loader import batch_key
from convoy.evaluation.intervals import wilson
from convoy.evaluation.metrics import DIGITS

Images = NDArray[np.uint8]
Answer = Callable[[Images], NDArray[np.int64]]  # pictures (N, H, W, C) -> indices of classes (N,)

COLUMNS = ("corruption", "strength", "setting", "samples", "accuracy", "low", "high")
STRENGTHS = (1, 2, 3)

_NOISE = (0.04, 0.08, 0.16)  # standard deviation, of the range
_BLUR = (0.5, 1.0, 2.0)  # pixels for a picture of _SIDE; grows with the root of its side
_SIDE = 64
_QUALITY = (40, 20, 10)
_BRIGHTNESS = (0.15, 0.3, 0.45)  # of the range
_TURN = (10, 20, 30)  # degrees
_REPEAT_EDGE = 1  # OpenCV's border mode
_BATCH = 256


def corruptions(side: int) -> Iterator[tuple[str, int, str, list[Spec]]]:
    """(corruption, strength, setting in words, transforms that pictures take in turn).

    Args:
        side: the shorter one of the pictures, in pixels.
    """
    for strength in STRENGTHS:
        n = strength - 1
        sigma = round(_BLUR[n] * sqrt(side / _SIDE), 2)
        noise: dict[str, Any] = {"name": "GaussNoise", "std_range": [_NOISE[n]] * 2, "mean_range": [0.0, 0.0]}
        blur: dict[str, Any] = {"name": "GaussianBlur", "sigma_limit": [sigma] * 2, "blur_limit": 0}
        jpeg: dict[str, Any] = {"name": "ImageCompression", "quality_range": [_QUALITY[n]] * 2}
        lighter, darker = (
            {"name": "RandomBrightnessContrast", "brightness_limit": [by] * 2, "contrast_limit": [0.0, 0.0]}
            for by in (_BRIGHTNESS[n], -_BRIGHTNESS[n])
        )
        left, right = (
            {"name": "Rotate", "limit": [by] * 2, "border_mode": _REPEAT_EDGE} for by in (_TURN[n], -_TURN[n])
        )
        yield "noise", strength, f"standard deviation {_NOISE[n]:.0%} of the range", [noise]
        yield "blur", strength, f"sigma {sigma} pixels", [blur]
        yield "jpeg", strength, f"quality {_QUALITY[n]}", [jpeg]
        yield "brightness", strength, f"±{_BRIGHTNESS[n]:.0%} of the range", [lighter, darker]
        yield "rotation", strength, f"±{_TURN[n]} degrees", [left, right]


def measure(
    images: Images, target: NDArray[np.int64], answer: Answer, *, confidence: float, seed: int
) -> pd.DataFrame:
    """Accuracy with Wilson's interval for each corruption and strength; no rows without pictures.

    Args:
        images: (N, H, W, C).
        target: (N,).
        answer: the network.
    """
    rows = []
    if len(images):
        for number, (name, strength, setting, specs) in enumerate(corruptions(min(images.shape[1:3]))):
            answers = answer(corrupt(images, specs, batch_key(seed, 0, number)))
            rows.append((name, strength, setting, len(images), int((answers == target).sum())))
    return tabled(rows, confidence)


def unmoved(images: Images, seed: int) -> Iterator[tuple[str, int, str, Images]]:
    """(corruption, strength, setting, damaged pictures) of those that leave everything where it is."""
    for number, (name, strength, setting, specs) in enumerate(corruptions(min(images.shape[1:3]))):
        if name != "rotation":
            yield name, strength, setting, corrupt(images, specs, batch_key(seed, 0, number))


def tabled(rows: Sequence[tuple[str, int, str, int, int]], confidence: float) -> pd.DataFrame:
    """The table of (corruption, strength, setting, samples, right answers)."""
    frame = pd.DataFrame(rows, columns=[*COLUMNS[:4], "right"])
    right, samples = (frame[name].to_numpy(np.int64) for name in ("right", "samples"))
    low, high = wilson(right, samples, confidence)
    frame = frame.assign(accuracy=right / np.maximum(samples, 1), low=low, high=high)
    order = ["corruption", "strength"]
    return frame.sort_values(order, ignore_index=True)[list(COLUMNS)].round(DIGITS)


def means(table: pd.DataFrame, untouched: float) -> dict[str, float]:
    """Accuracy of each corruption over its strengths, their mean, and that on the same pictures untouched."""
    by_name = table.groupby("corruption")["accuracy"].mean()
    found = {str(name): round(float(value), DIGITS) for name, value in by_name.items()}
    return {**found, "mean": round(float(by_name.mean()), DIGITS), "untouched": round(untouched, DIGITS)}


def corrupt(images: Images, specs: list[Spec], seed: int) -> Images:
    """Pictures (N, H, W, C), the first with the first transform, the second with the next, and so on."""
    result = np.empty_like(images)
    for turn, spec in enumerate(specs):
        policy = Policy([{**spec, "p": 1.0}])
        mine = images[turn :: len(specs)]
        for number, start in enumerate(range(0, len(mine), _BATCH)):
            changed = policy(mine[start : start + _BATCH], batch_key(seed, turn, number))
            result[turn :: len(specs)][start : start + _BATCH] = changed
    return result
