"""Sequences of two channels and different lengths in given splits."""

from pathlib import Path

import numpy as np

from convoy.config.data import DataConfig

DATA = DataConfig(modality="sequence", source="sequence_npz", path="data")


def write(root: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(
        root / "toy.npz",
        x_train=random.normal(size=(6, 2, 9)).astype(np.float32),
        y_train=np.arange(6) % 2,
        lengths_train=np.array([9, 8, 7, 9, 4, 2]),
        x_test=random.normal(size=(4, 2, 9)),
        y_test=np.arange(4) % 2,
    )
