"""Thumbnails whose classes are directions of stripes, and sample tables of them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CLASSES = ["across", "down", "slanting"]


def stripes(codes: NDArray[np.int64], seed: int = 0) -> NDArray[np.uint8]:
    """Noisy stripes in the direction of each class, shifted at random: (N, 32, 32, 3)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32]
    pictures = []
    for code in codes:
        along = (y, x, x + y)[code]
        wave = 90 * np.sin(2 * np.pi * along / 8 + random.uniform(0, 2 * np.pi))
        noise = random.normal(0, 25, (32, 32))
        pictures.append(np.clip(128 + wave + noise, 0, 255))
    return np.repeat(np.array(pictures, np.uint8)[..., None], 3, axis=3)


def truth(count: int) -> NDArray[np.int64]:
    return np.arange(count) % 3


def table(codes: NDArray[np.int64], **columns: object) -> pd.DataFrame:
    """A sample table with these labels; ids and paths count up."""
    count = len(codes)
    basic = {
        "id": [f"{number:032x}" for number in range(count)],
        "path": [f"{number:04}.png" for number in range(count)],
        "target": [CLASSES[code] for code in codes],
    }
    return pd.DataFrame({**basic, **columns})


def flipped(codes: NDArray[np.int64], rows: list[int]) -> NDArray[np.int64]:
    """The labels of `rows` are those of the next class."""
    wrong = codes.copy()
    wrong[rows] = (wrong[rows] + 1) % 3
    return wrong
