"""What the sources with many pictures in one array share: locators "<array>#<row>" and arrays opened once."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data.sources._base import Reader
from convoy.errors import DataError

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
_AGAIN = "run ingest again"


def locators(name: str, length: int) -> list[str]:
    """The locators of all rows of an array."""
    return [f"{name}#{row}" for row in range(length)]


def part(name: str, targets: Sequence[str | None] | NDArray[Any], split: str | None) -> pd.DataFrame:
    """The samples of one array: columns path, target and split, in the order of its rows."""
    return pd.DataFrame(
        {
            "path": locators(name, len(targets)),
            "target": pd.Series(list(targets), dtype=object),
            "split": pd.Series([split] * len(targets), dtype=object),
        }
    )


def reader(load: Callable[[str], Pixels], where: str) -> Reader:
    """Reads rows of arrays; an array is opened once, when its first row is asked for.

    Args:
        load: the array of a name, (N, H, W) or (N, H, W, C). It is called by one thread at a time and must
            raise DataError for names that `scan` does not give.
        where: for messages, the place of the data.
    """
    arrays: dict[str, Pixels] = {}
    lock = threading.Lock()

    def read(locator: str) -> Pixels:
        name, _, row = locator.rpartition("#")
        if name not in arrays:
            with lock:
                if name not in arrays:
                    arrays[name] = load(name)
        array = arrays[name]
        if not (row.isascii() and row.isdecimal()) or int(row) >= len(array):
            raise DataError(f"{name} has no row {row!r}", where=where, fix=_AGAIN)
        picture: Pixels = array[int(row)]
        return picture

    return Reader(read)


def unknown(name: str, where: str) -> DataError:
    """The error for an array that `scan` does not give."""
    return DataError(f"{name!r} is no locator of this source", where=where, fix=_AGAIN)
