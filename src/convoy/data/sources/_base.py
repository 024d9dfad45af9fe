"""What a source is: a module with these two functions, found by its name.

    scan(root: Path, data: DataConfig) -> Scan        lists the samples without opening them, in an order that
                                                      never changes
    reader(root: Path, data: DataConfig) -> Reader    gives the content of one sample by its locator; safe in
                                                      many threads

Both raise DataError when the data as a whole are not what the source expects. A sample that is wrong by
itself (no label, one that is no number, a file that is missing) is no reason to raise: its row has `problem`.
`root` is `data.path` below the project's root (see `convoy.data.opening`, by which all others come here).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig
from convoy.errors import DataError

Content = bytes | NDArray[Any]
Task = Literal["classification", "labels", "values", "keypoints"]


def _unknown(locator: str) -> str | None:
    return None


@dataclass(frozen=True)
class Reader:
    """Gives the content of a sample.

    Attributes:
        read: by locator.
        stamp: by locator, what changes whenever the content may have changed, found without reading it; None:
            nothing but reading tells.
    """

    read: Callable[[str], Content]
    stamp: Callable[[str], str | None] = _unknown

    def __call__(self, locator: str) -> Content:
        return self.read(locator)


@dataclass(frozen=True)
class Scan:
    """What a source holds.

    Attributes:
        samples: columns path, target, split (train, val, test or None), in the source's order; then those of
            group, time, keypoints, origin and problem (see `convoy.data.manifest`) that the source knows.
        classes: all class names, those without samples too, in class order.
        ignored: names of what is there and is not taken for data.
        notes: sentences that the user should read, such as the encoding that a table was read in.
        task: what the targets are.
        points: names of the keypoints, or of the values, in the order of the column; empty for other tasks.
        separator: stands between the labels of a target, where the task is labels.
    """

    samples: pd.DataFrame
    classes: list[str]
    ignored: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    task: Task = "classification"
    points: list[str] = field(default_factory=list)
    separator: str = ""


class Source(Protocol):
    """The type of a source module."""

    def scan(self, root: Path, data: DataConfig) -> Scan: ...

    def reader(self, root: Path, data: DataConfig) -> Reader: ...


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
