"""What a place of files is, whatever it is made of."""

import os
from collections.abc import Iterable, Sequence
from typing import Protocol

from convoy.errors import DataError

LARGEST = 1 << 31  # bytes of one file, which is read whole
OFFERED = 50_000  # files in a plain folder, above which shards are offered


class Files(Protocol):
    """Files by their locators: posix paths relative to the place, never absolute, never with `..`."""

    @property
    def place(self) -> str:
        """For messages: the folder or the archive."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Sentences that the user should read: an encoding that was guessed, an offer. For `Scan.notes`.

        Raises:
            DataError: as for `names`.
        """
        ...

    def names(self) -> Sequence[str]:
        """Locators of all files in name order, hidden ones (`.…`, `__MACOSX`) left out.

        Raises:
            DataError: the place cannot be listed, a name is not UTF-8, or a link or an archive's member leads
                out of it.
        """
        ...

    def hidden(self) -> Sequence[str]:
        """Locators of what `names` left out, in name order; of a hidden folder the folder alone."""
        ...

    def folders(self) -> Sequence[str]:
        """Locators of all folders, empty ones too, in name order; hidden ones left out."""
        ...

    def read(self, name: str) -> bytes:
        """The content of a file; safe in many threads.

        Raises:
            DataError: there is no such file, it cannot be read, or the locator leads out of the place.
        """
        ...

    def stamp(self, name: str) -> str | None:
        """What changes whenever the content may have changed, found without reading it; None: unknown."""
        ...


def is_hidden(name: str) -> bool:
    """Whether one part of a locator hides what it names."""
    return name.startswith(".") or name == "__MACOSX"


def first_hidden(locator: str) -> str | None:
    """The locator up to its first hidden part; None where nothing hides it."""
    if not (locator.startswith(".") or "/." in locator or "__MACOSX" in locator):
        return None
    parts = locator.split("/")
    for length, part in enumerate(parts, start=1):
        if is_hidden(part):
            return "/".join(parts[:length])
    return None


def is_sound(locator: str) -> bool:
    """Whether a locator is relative, names something, and cannot lead out of its place by itself."""
    parts = locator.split("/")
    return "\0" not in locator and not {"", ".", ".."}.intersection(parts)


def parents(locators: Iterable[str]) -> set[str]:
    """All folders above the locators."""
    found: set[str] = set()
    for locator in locators:
        above = locator.rpartition("/")[0]
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return found


def inside(path: str, base: str) -> bool:
    """Whether a resolved path lies in the resolved folder `base` or is it."""
    return path == base or path.startswith(base if base.endswith("/") else base + "/")


def no_such(locator: str, place: str) -> DataError:
    return DataError(
        f"cannot read {locator!r}: No such file or directory",
        where=place,
        fix="if it was removed, run ingest again",
    )


def leads_out(locator: str, place: str) -> DataError:
    return DataError(f"{locator!r} leads out of the data folder", where=place, fix="remove it")


def not_utf8(name: str | bytes, place: str) -> DataError:
    shown = os.fsencode(name) if isinstance(name, str) else name
    return DataError(f"a name is not UTF-8: {shown!r}", where=place, fix="rename it")
