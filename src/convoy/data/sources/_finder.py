"""The files that the rows of a table name."""

import os
import posixpath
import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from convoy.data.files import Files
from convoy.data.files._base import first_hidden, is_sound

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DRIVE = re.compile(r"[A-Za-z]:/")


class Finder:
    """Finds files by the paths that people write: with backslashes, absolute, in other Unicode forms."""

    def __init__(self, root: Path, files: Files) -> None:
        self.place = files.place
        self.known = frozenset(files.names())
        self._bases = [str(root.absolute()), os.path.realpath(root)] if root.is_dir() else []

    def find(self, value: str | None, folders: Sequence[str]) -> tuple[str | None, str | None]:
        """(locator, problem): of a file that is missing, too, the locator if the path could be one.

        Args:
            folders: locators of the folders that the path may start from, "" for the root; the first in which
                there is such a file is taken.
        """
        path = (value or "").strip()
        if not path:
            return None, "the row names no picture"
        if _ADDRESS.match(path):
            return None, f"{path!r} is an address; pictures are not fetched"
        inside: list[str] = []
        for form in dict.fromkeys([path, path.replace("\\", "/")]):
            inside = [at for folder in folders if (at := self._relative(form, folder)) is not None]
            for locator in inside:
                found = self._known(locator)
                if found is not None:
                    return found, None
        if not inside:
            return None, f"{path!r} lies outside of the data folder"
        missing = inside[0]
        if not is_sound(missing):
            return None, f"there is no file {path!r}"
        if first_hidden(missing) is not None:
            return missing, f"{path!r} is hidden: names that begin with a dot are not read"
        return missing, f"there is no file {path!r}"

    def near(self, value: str) -> str | None:
        """A file that has the name of another, with or without its ending."""
        name = posixpath.basename(value.strip().replace("\\", "/"))
        return self._by_name.get(name) or self._by_name.get(posixpath.splitext(name)[0])

    def _relative(self, path: str, folder: str) -> str | None:
        """The locator of a path from a folder; None where it leads out of the root."""
        if path.startswith("/"):
            path = posixpath.normpath(path)
            for base in self._bases:
                if path.startswith(base + "/"):
                    return path.removeprefix(base + "/")
            return None
        joined = posixpath.normpath(posixpath.join(folder, path))
        return None if joined == ".." or joined.startswith("../") or _DRIVE.match(path) else joined

    def _known(self, locator: str) -> str | None:
        """The file of a locator, whatever the Unicode form of its name."""
        if locator in self.known:
            return locator
        return self._composed.get(unicodedata.normalize("NFC", locator))

    @cached_property
    def _composed(self) -> dict[str, str]:
        """Files whose names are not in NFC, as macOS writes them, by their names in NFC."""
        return {
            unicodedata.normalize("NFC", name): name
            for name in self.known
            if not unicodedata.is_normalized("NFC", name)
        }

    @cached_property
    def _by_name(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for locator in sorted(self.known, reverse=True):
            name = posixpath.basename(locator)
            found[posixpath.splitext(name)[0]] = locator
            found[name] = locator
        return found
