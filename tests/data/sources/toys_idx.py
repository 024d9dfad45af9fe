"""Two pairs of idx files, one packed: the training and the test split."""

from pathlib import Path

from convoy.config.data import DataConfig
from tests.data.pictures import write_idx

DATA = DataConfig(source="idx", path="toy")


def write(root: Path) -> None:
    write_idx(root, 12, prefix="train-", packed=True)
    write_idx(root, 6, prefix="t10k-", seed=1)
