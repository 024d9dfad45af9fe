"""Waves, slow and fast, of two channels and different lengths: what tells the classes apart is the pace."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convoy.config.data import DataConfig, SequencePrepareConfig

CLASSES = ["slow", "fast"]
DATA = DataConfig(modality="sequence", source="sequence_ts", path="raw")
PREPARE = SequencePrepareConfig(missing="interpolate", scale="channel")


def wave(label: str, random: np.random.Generator) -> NDArray[np.float64]:
    """(T, 2)."""
    steps = np.arange(random.integers(18, 31))
    pace = 0.35 if label == "slow" else 1.3
    angle = pace * steps + random.uniform(0, 6)
    values = np.stack([5 + 3 * np.sin(angle), -40 + 10 * np.cos(angle)], axis=1)
    return values + random.normal(0, 0.2, values.shape)


def line(values: NDArray[np.float64], label: str) -> str:
    parts = [",".join(f"{value:.4f}" for value in channel) for channel in values.T]
    return ":".join([*parts, label])


def lines(count: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    return [line(wave(CLASSES[n % 2], random), CLASSES[n % 2]) for n in range(count)]


def write(root: Path, count: int = 120, extra: tuple[str, ...] = ()) -> None:
    (root / "raw").mkdir(parents=True)
    header = f"@problemName Waves\n@classLabel true {' '.join(CLASSES)}\n@data\n"
    content = header + "\n".join([*lines(count), *extra]) + "\n"
    (root / "raw" / "Waves.ts").write_text(content, encoding="utf-8")
