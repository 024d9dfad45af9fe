"""Pictures that an export refers to: which file is meant, and one locator for each row.

The locator of a row is that of its file; where several rows show one file, the n-th has "#n" behind it, as
`_rows.reader` reads it.
"""

import functools
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from convoy.data import pixels
from convoy.data.sources._base import listed
from convoy.errors import DataError

_EXAMPLES = 3


class Pictures:
    """The files of a place by the ends of their paths. Unicode forms make no difference."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {_normal(name): name for name in names}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            self._by_name[name.rpartition("/")[2]].append(name)

    def exact(self, path: str) -> str | None:
        """The file at a path."""
        return self._names.get(_normal(path))

    def ending(self, parts: Sequence[str]) -> list[str]:
        """The files whose paths share most of their last parts with `parts`, the name being one of them."""
        wanted = [_normal(part) for part in parts]
        best: list[str] = []
        most = 0
        for name in self._by_name.get(wanted[-1], ()) if wanted else ():
            shared = 0
            for mine, other in zip(reversed(name.split("/")), reversed(wanted), strict=False):
                if mine != other:
                    break
                shared += 1
            if shared > most:
                best, most = [], shared
            if shared == most:
                best.append(self._names[name])
        return best


def _normal(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def looks_like_one(path: str) -> bool:
    """Whether a path ends like that of a picture."""
    return PurePosixPath(path).suffix.lower() in _endings()


@functools.cache
def _endings() -> frozenset[str]:
    return pixels.extensions()


def several(names: list[str]) -> str:
    """The problem of a reference that fits several files."""
    return f"the reference fits {len(names)} files: {listed(names, _EXAMPLES)}"


def distinct(paths: Iterable[str]) -> list[str]:
    """Locators of rows, each different, from the paths of their files."""
    seen: Counter[str] = Counter()
    taken: set[str] = set()
    found = []
    for path in paths:
        seen[path] += 1
        locator = path if seen[path] == 1 else f"{path}#{seen[path]}"
        while locator in taken:  # a file may be called so
            seen[path] += 1
            locator = f"{path}#{seen[path]}"
        taken.add(locator)
        found.append(locator)
    return found


def refuse_strangers(
    paths: Sequence[str | None], references: Sequence[object], table: str, place: str
) -> None:
    """Raise DataError where no picture is found at all: then a setting is wrong, and not the rows.

    Args:
        paths: of the files that were found.
        references: what was looked for.
        table: the export.
        place: where was looked.
    """
    if any(path is not None for path in paths):
        return
    first = next((repr(each) for each in references if isinstance(each, str) and each), "none")
    raise DataError(
        f"of the pictures that {table} names none is found; the first is {first}",
        where=place,
        fix="data.path must be the folder or the archive that holds the pictures and the export",
    )
