"""A folder of files. Links are followed if they stay inside; a link to a folder above it is left out."""

import errno
import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from convoy.data import stamps
from convoy.data.files._base import (
    LARGEST,
    OFFERED,
    inside,
    is_hidden,
    is_sound,
    leads_out,
    not_utf8,
)
from convoy.errors import DataError

_MOST_FOLDERS = 1_000_000
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW


@dataclass
class _Listing:
    names: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


class Folder:
    """Files below a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._base = os.path.realpath(root)
        self._parents: dict[str, str] = {}  # locator of a folder -> where it really is

    @property
    def place(self) -> str:
        return str(self._root)

    @property
    def notes(self) -> list[str]:
        """The offer of shards, where there are many files."""
        if len(self.names()) <= OFFERED:
            return []
        return [
            f"{len(self.names()):,} files in a plain folder: `convoy data pack FOLDER` makes tar shards of "
            "them, which DVC tracks as a few files"
        ]

    def names(self) -> list[str]:
        return self._listing.names

    def hidden(self) -> list[str]:
        """Hidden files and folders, links that make a circle, pipes, sockets and devices."""
        return self._listing.hidden

    def folders(self) -> list[str]:
        return self._listing.folders

    def read(self, name: str) -> bytes:
        try:
            descriptor = self._opened(name)
            try:
                return self._content(descriptor, name)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DataError(
                f"cannot read {name!r}: {error.strerror}",
                where=self.place,
                fix="mend its permissions or remove it; if it was removed, run ingest again",
            ) from None

    def stamp(self, name: str) -> str | None:
        return stamps.of_file(f"{self._base}/{name}") if is_sound(name) else None

    def _opened(self, name: str) -> int:
        """A descriptor of a file inside the root."""
        if not is_sound(name):
            raise leads_out(name, self.place)
        parent, _, last = name.rpartition("/")
        folder = self._parents.get(parent)
        if folder is None:
            folder = self._parents[parent] = self._resolved(f"{self._base}/{parent}", name)
        path = f"{folder}/{last}"
        try:
            return os.open(path, _READ)
        except UnicodeEncodeError:
            raise not_utf8(name, self.place) from None
        except OSError as error:
            if error.errno != errno.ELOOP:  # a link, by O_NOFOLLOW
                raise
        return os.open(self._resolved(path, name), _READ)

    def _content(self, descriptor: int, name: str) -> bytes:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise DataError(f"cannot read {name!r}: it is no file", where=self.place, fix="remove it")
        if facts.st_size > LARGEST:
            raise DataError(
                f"cannot read {name!r}: it has {facts.st_size:,} bytes; one file may have {LARGEST:,}",
                where=self.place,
                fix="remove it, or divide it",
            )
        content = os.read(descriptor, facts.st_size + 1)
        if len(content) == facts.st_size:
            return content
        parts = [content]  # it grows, or comes in pieces
        while content := os.read(descriptor, 1 << 20):
            parts.append(content)
        return b"".join(parts)

    def _resolved(self, path: str, name: str) -> str:
        real = os.path.realpath(path)
        if not inside(real, self._base):
            raise leads_out(name, self.place)
        return real

    @cached_property
    def _listing(self) -> _Listing:
        found = _Listing()
        pending: list[tuple[str, str, tuple[str, ...]]] = [("", self._base, (self._base,))]
        while pending:
            prefix, path, above = pending.pop()
            pending += self._enter(prefix, path, above, found)
            if len(found.folders) > _MOST_FOLDERS:
                raise DataError(
                    f"more than {_MOST_FOLDERS:,} folders",
                    where=self.place,
                    fix="look for links between its folders that lead in circles",
                )
        if found.outside:
            raise self._leading_out(sorted(found.outside))
        for locators in (found.names, found.hidden, found.folders):
            locators.sort()
        return found

    def _enter(
        self, prefix: str, path: str, above: tuple[str, ...], found: _Listing
    ) -> list[tuple[str, str, tuple[str, ...]]]:
        """Note what lies in one folder; return its folders.

        Args:
            prefix: of the locators, with its slash.
            path: the folder.
            above: where the folder and those above it really are.
        """
        folders = []
        for entry in self._entries(path):
            name = prefix + entry.name
            real = f"{above[-1]}/{entry.name}"
            is_link = entry.is_symlink()
            if is_link:
                real = os.path.realpath(entry.path)
            if not inside(real, self._base):
                found.outside.append(name)
            elif is_hidden(entry.name):
                found.hidden.append(name)
            elif _is_folder(entry):
                if real in above:
                    found.hidden.append(name)
                else:
                    found.folders.append(name)
                    folders.append((name + "/", entry.path, (*above, real)))
            elif is_link or entry.is_file():
                found.names.append(name)  # a broken link too: reading it fails and names it
            else:
                found.hidden.append(name)
        return folders

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(path) as scanned:
                entries = list(scanned)
        except OSError as error:
            place = self.place + path.removeprefix(self._base)
            raise DataError(
                f"cannot read the folder: {error.strerror}", where=place, fix="mend its permissions"
            ) from None
        for entry in entries:
            try:
                entry.name.encode("utf-8")
            except UnicodeEncodeError:
                raise not_utf8(entry.name, self.place + path.removeprefix(self._base)) from None
        return entries

    def _leading_out(self, names: list[str]) -> DataError:
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        return DataError(
            f"links lead out of the data folder: {', '.join(names[:10])}{more}",
            where=self.place,
            fix="replace them by the files themselves (for DVC data: `dvc config cache.type copy`)",
        )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
