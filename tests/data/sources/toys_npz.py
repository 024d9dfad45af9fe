"""A made-up .npz file with the arrays of Keras's mnist.npz, colour in one of its splits."""

from pathlib import Path

import numpy as np

from convoy.config.data import DataConfig

DATA = DataConfig(source="npz", path="toy")


def write(root: Path) -> None:
    draw = np.random.default_rng(0)
    np.savez(
        root / "digits.npz",
        x_train=draw.integers(0, 256, (9, 6, 5), dtype=np.uint8),
        y_train=np.resize([7, 3, 10], 9),
        x_test=draw.integers(0, 65536, (6, 6, 5, 3), dtype=np.uint16),
        y_test=np.resize([3, 7], 6)[:, None].astype(np.uint8),
    )
    (root / "README.md").write_text("made up", encoding="utf-8")
