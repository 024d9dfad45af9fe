"""A folder of class folders, flat or below train/, val/ (valid, validation) and test/.

Taken are the files, at any depth, whose ending Pillow or OpenCV knows; others and hidden ones are ignored
and named. Class names are the folders' names in Unicode NFC. Links are followed if they stay inside the root.
"""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pandas as pd

from convoy.data import pixels
from convoy.data.sources._base import Reader, Scan, existing, listed, unreadable
from convoy.errors import DataError

_SPLIT = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
Branch = tuple[str | None, Path]  # split, class folder
_LAYOUT = "expected <root>/<class>/<picture>, or <root>/train/<class>/<picture> with val/ and test/ beside it"


def scan(root: Path) -> Scan:
    """All pictures, by path.

    Raises:
        DataError: no folder, no class folders, pictures outside of class folders, class folders beside split
            folders, two names for one class, a link out of the root, a folder that cannot be read.
    """
    existing(root, fix="data.path in params.yaml must name the folder that holds the class folders")
    walk = _Walk(root)
    branches = _branches(walk)
    names = _class_names(root, branches)
    rows = [(path, names[folder], split) for split, folder in branches for path in walk.pictures(folder)]
    walk.finish()
    samples = pd.DataFrame(sorted(rows), columns=["path", "target", "split"], dtype=object)
    classes = sorted(set(names.values()))
    if samples.empty:
        raise DataError(
            f"the class folders ({listed(classes)}) hold no pictures", where=str(root), fix=_LAYOUT
        )
    return Scan(samples, classes, sorted(walk.ignored))


def reader(root: Path) -> Reader:
    """Reads whole files, never one outside the root."""
    base = root.resolve()

    def read(locator: str) -> bytes:
        path = base / locator
        try:
            if not path.resolve().is_relative_to(base):
                raise DataError(f"{locator!r} leads out of the data folder", where=str(root), fix="remove it")
            return path.read_bytes()
        except OSError as error:
            raise DataError(
                f"cannot read {locator!r}: {error.strerror}",
                where=str(root),
                fix="mend its permissions or remove it; if it was removed, run ingest again",
            ) from None

    return read


class _Walk:
    """Goes through the folders; remembers what it ignored and which links lead out of the root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ignored: set[str] = set()
        self._base = root.resolve()
        self._outside: set[str] = set()
        self._endings = pixels.extensions()

    def top(self, folder: Path) -> tuple[list[str], list[str]]:
        """Names of the folders in a folder, and of the pictures that lie there."""
        folders, loose = [], []
        for entry, kind in self._entries(folder):
            if kind == "folder":
                folders.append(entry.name)
            elif kind == "picture":
                loose.append(entry.name)
        return folders, loose

    def pictures(self, folder: Path, above: tuple[str, ...] = ()) -> Iterator[str]:
        """Locators of the pictures in a folder and all below it."""
        real = os.path.realpath(folder)
        if real in above:  # a link to one of its own parents
            self.ignored.add(self._locator(folder))
            return
        for entry, kind in self._entries(folder):
            if kind == "folder":
                yield from self.pictures(folder / entry.name, (*above, real))
            elif kind == "picture":
                yield self._locator(folder / entry.name)

    def finish(self) -> None:
        """Raise DataError if a link led out of the root."""
        if self._outside:
            raise DataError(
                f"links lead out of the data folder: {listed(sorted(self._outside))}",
                where=str(self.root),
                fix="replace them by the files themselves (for DVC data: `dvc config cache.type copy`)",
            )

    def _entries(self, folder: Path) -> Iterator[tuple[os.DirEntry[str], str]]:
        """Entries in name order as folder or picture; all others are noted as ignored."""
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise unreadable(folder, error) from None
        for entry in entries:
            locator = self._locator(folder / entry.name)
            if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(self._base):
                self._outside.add(locator)
            elif entry.name.startswith(".") or entry.name == "__MACOSX":
                self.ignored.add(locator)
            elif entry.is_dir():
                yield entry, "folder"
            elif _ending(entry.name) in self._endings and (entry.is_file() or entry.is_symlink()):
                yield entry, "picture"  # a broken link too: reading it fails and names it
            else:
                self.ignored.add(locator)

    def _locator(self, path: Path) -> str:
        locator = path.relative_to(self.root).as_posix()
        try:
            locator.encode("utf-8")
        except UnicodeEncodeError:
            raise DataError(
                f"a name is not UTF-8: {os.fsencode(locator)!r}", where=str(self.root), fix="rename it"
            ) from None
        return locator


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _branches(walk: _Walk) -> list[Branch]:
    """The class folders, each with its split.

    Raises:
        DataError: there are none, or pictures and folders lie where they mean nothing.
    """
    root = walk.root
    folders, loose = walk.top(root)
    walk.finish()
    if loose or not folders:
        raise _no_classes(root, loose)
    named = [name for name in folders if name.casefold() in _SPLIT]
    inside = {name: walk.top(root / name) for name in named}
    # A folder called like a split that holds pictures alone is a class (cars, buses and "train"s).
    sides = [name for name in named if inside[name][0] or not inside[name][1] or len(named) == len(folders)]
    if not sides:
        return [(None, root / name) for name in folders]
    if len(sides) < len(folders):
        classes = [name for name in folders if name not in sides]
        raise DataError(
            f"class folders ({listed(classes)}) stand beside split folders ({listed(sides)})",
            where=str(root),
            fix="move the class folders into train/, or take the class folders out of the split folders",
        )
    given: dict[str, str] = {}
    for name in sides:
        other = given.setdefault(_SPLIT[name.casefold()], name)
        if other != name:
            raise DataError(
                f"{other}/ and {name}/ are the same split", where=str(root), fix="merge the two folders"
            )
        if inside[name][1]:
            raise _no_classes(root / name, inside[name][1])
    branches: list[Branch] = [
        (_SPLIT[name.casefold()], root / name / folder) for name in sides for folder in inside[name][0]
    ]
    if not branches:
        raise _no_classes(root, [])
    return branches


def _no_classes(folder: Path, loose: list[str]) -> DataError:
    if loose:
        return DataError(
            f"pictures lie outside of class folders: {listed(loose)}",
            where=str(folder),
            fix=f"put each into the folder of its class; {_LAYOUT}",
        )
    return DataError("the data folder holds no class folders", where=str(folder), fix=_LAYOUT)


def _class_names(root: Path, branches: list[Branch]) -> dict[Path, str]:
    """The class name of each class folder.

    Raises:
        DataError: two folders would be the same class, or one class would have two names.
    """
    names: dict[Path, str] = {}
    spelt: dict[str, list[Path]] = defaultdict(list)
    for _, folder in branches:
        names[folder] = unicodedata.normalize("NFC", folder.name)
        spelt[unicodedata.normalize("NFC", names[folder].casefold().strip())].append(folder)
    for folders in spelt.values():
        one_name = len({names[folder] for folder in folders}) == 1
        one_each = len({folder.parent for folder in folders}) == len(folders)
        if not (one_name and one_each):
            places = sorted(folder.relative_to(root).as_posix() for folder in folders)
            raise DataError(
                f"these folders name one class in two ways: {', '.join(repr(place) for place in places)}",
                where=str(root),
                fix="merge or rename them; case, blanks around and Unicode forms make no other class",
            )
    return names
