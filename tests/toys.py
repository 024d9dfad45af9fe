"""Toy data and parameters for the tests."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy import io
from convoy.data import store

CLASSES = ["down", "up"]


def images(count: int, side: int = 12, channels: int = 1, seed: int = 0) -> NDArray[np.uint8]:
    """Noise with a bright lower (class 0) or upper (class 1) half, alternating: (N, H, W, C)."""
    pixels = np.random.default_rng(seed).integers(0, 80, (count, side, side, channels), dtype=np.uint8)
    pixels[0::2, side // 2 :] += 120
    pixels[1::2, : side // 2] += 120
    return pixels


def write_store(folder: Path, count: int, **how: int) -> None:
    pixels = images(count, **how)
    writer = store.create(folder, count, pixels.shape[1:])
    writer.images[:] = pixels
    writer.target[:] = np.arange(count) % 2
    start = how.get("seed", 0) * 1_000_000
    writer.id[:] = np.array([f"{start + n:032x}" for n in range(count)], dtype="S32")
    writer.finish()


def write_prepared(folder: Path, train: int = 64, val: int = 16, test: int = 32) -> dict[str, Any]:
    """What `prepare` leaves: three stores and the preprocessor, which is returned."""
    for seed, (split, count) in enumerate({"train": train, "val": val, "test": test}.items()):
        write_store(folder / split, count, seed=seed)
    preprocessor = {
        "version": 1,
        "modality": "image",
        "spec": {"height": 12, "width": 12, "channels": 1, "resize": "stretch", "max_pixels": 1_000_000},
        "mean": [0.4],
        "std": [0.25],
        "classes": CLASSES,
    }
    io.write_json(folder / "preprocessor.json", preprocessor)
    return preprocessor


def write_policy(folder: Path, transforms: list[dict[str, Any]] | None = None, **mixing: Any) -> None:
    """What `augment` leaves, without copies."""
    io.write_json(
        folder / "policy.json",
        {
            "online": bool(transforms or mixing),
            "offline_copies": 0,
            "seed": 0,
            "transforms": transforms or [],
            **mixing,
        },
    )
