"""What a source is: a module with these two functions, found by its name.

    scan(root: Path) -> Scan        lists the samples without opening them, in an order that never changes
    reader(root: Path) -> Reader    gives the content of one sample by its locator; safe in many threads

Both raise DataError when the data are not what the source expects.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from numpy.typing import NDArray

from convoy.errors import DataError

Reader = Callable[[str], "bytes | NDArray[Any]"]


@dataclass(frozen=True)
class Scan:
    """What a source holds.

    Attributes:
        samples: columns path, target, split (train, val, test or None), in the source's order.
        classes: all class names, those without samples too, in class order.
        ignored: names of what is there and is not taken for data.
    """

    samples: pd.DataFrame
    classes: list[str]
    ignored: list[str] = field(default_factory=list)


class Source(Protocol):
    """The type of a source module."""

    def scan(self, root: Path) -> Scan: ...

    def reader(self, root: Path) -> Reader: ...


def existing(root: Path, fix: str) -> Path:
    """`root`, which must be a folder.

    Raises:
        DataError: it is missing or no folder.
    """
    if not root.is_dir():
        state = "is no folder" if root.exists() else "does not exist"
        raise DataError(f"the data folder {state}", where=str(root), fix=fix)
    return root


def unreadable(folder: Path, error: OSError) -> DataError:
    """The error for a folder that cannot be listed."""
    return DataError(
        f"cannot read the folder: {error.strerror}", where=str(folder), fix="mend its permissions"
    )


def listed(names: list[str], most: int = 10) -> str:
    """The first names and how many there are besides."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
