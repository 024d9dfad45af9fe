"""What a user pointed at, as the signs of the modalities see it."""

import os
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from convoy.data import pixels
from convoy.data.files import Files
from convoy.data.sources._base import Scan
from convoy.errors import DataError
from convoy.scaffold.columns import Wishes

Options = dict[str, Any]

SIDES = {"train", "val", "valid", "validation", "test"}  # names of folders


@dataclass(frozen=True)
class Found:
    """What lies there.

    Attributes:
        root: what `data.path` is to be: a folder or an archive.
        options: of section `data`, without path.
        scan: what the source lists; None for a table, whose pictures may lie elsewhere.
        said: what it is, in words.
        modality: whose sign it was.
    """

    root: Path
    options: Options
    scan: Scan | None
    said: str
    modality: str = "image"


@dataclass(frozen=True)
class Place:
    """What the user pointed at."""

    path: Path
    files: Files

    @cached_property
    def names(self) -> list[str]:
        return list(self.files.names())

    @cached_property
    def known(self) -> frozenset[str]:
        return frozenset(self.names)

    @property
    def tops(self) -> list[str]:
        """Files that lie at the top."""
        return [name for name in self.names if "/" not in name]

    @cached_property
    def pictures(self) -> list[str]:
        endings = pixels.extensions()
        return [name for name in self.names if posixpath.splitext(name)[1].lower() in endings]

    def read(self, name: str) -> bytes:
        return self.files.read(name)


Sign = Callable[[Place, Wishes], Options | None]


class Beside:
    """A file and, without listing them, the files that lie in its folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path.parent)
        self.notes: list[str] = []

    def names(self) -> list[str]:
        return [self._path.name]

    def hidden(self) -> list[str]:
        return []

    def folders(self) -> list[str]:
        return []

    def read(self, name: str) -> bytes:
        try:
            return (self._path.parent / name).read_bytes()
        except OSError as error:
            raise DataError(
                f"cannot read the file: {error.strerror}", where=name, fix="mend its permissions"
            ) from None

    def stamp(self, name: str) -> str | None:
        del name
        return None


def located(folder: Path, value: str) -> Path | None:
    """The file that a table means: beside the table, from where the command runs, or absolute."""
    try:
        return next(
            (
                path
                for base in (folder, Path.cwd())
                if (path := Path(os.path.normpath(base / value))).is_file()
            ),
            None,
        )
    except (OSError, ValueError):  # too long, or with a null character
        return None


def is_archive(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith(
        (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tbz2", ".txz")
    )
