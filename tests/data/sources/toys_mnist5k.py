"""A pair of idx files, as `convoy data get mnist5k` writes them."""

from pathlib import Path

from convoy.config.data import DataConfig
from tests.data.pictures import write_idx

DATA = DataConfig(source="mnist5k", path="toy")


def write(root: Path) -> None:
    write_idx(root)
