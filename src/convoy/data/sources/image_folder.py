"""Class folders, flat or below train/, val/ (valid, validation) and test/; a folder of them or an archive.

Taken are the files, at any depth, whose ending Pillow or OpenCV knows; others and hidden ones are ignored
and named. Class names are the folders' names in Unicode NFC. Links are followed if they stay inside the root.
"""

import posixpath
import unicodedata
from collections import defaultdict
from functools import cached_property
from pathlib import Path

import pandas as pd

from convoy.config.data import DataConfig
from convoy.data import pixels
from convoy.data.files import Files, open_place
from convoy.data.sources._base import Reader, Scan, listed
from convoy.data.sources._labels import checked
from convoy.errors import DataError

_SPLIT = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
Branch = tuple[str | None, str]  # split, locator of the class folder
_LAYOUT = "expected <root>/<class>/<picture>, or <root>/train/<class>/<picture> with val/ and test/ beside it"
_FIX = "data.path in params.yaml must name the folder that holds the class folders, or an archive of it"


def scan(root: Path, data: DataConfig) -> Scan:
    """All pictures, by path.

    Raises:
        DataError: no folder, no class folders, pictures outside of class folders, class folders beside split
            folders, two names for one class, a link out of the root, a folder that cannot be read, an archive
            that is damaged or unsafe.
    """
    tree = _Tree(open_place(root, _FIX))
    branches = _branches(tree)
    names = _class_names(tree.place, branches)
    of_folder = {folder: (names[folder], split) for split, folder in branches}
    depth = 1 + branches[0][1].count("/")
    rows = [(path, *of_folder["/".join(path.split("/", depth)[:depth])]) for path in tree.pictures]
    samples = pd.DataFrame(rows, columns=["path", "target", "split"], dtype=object)
    classes = sorted(set(names.values()))
    if samples.empty:
        raise DataError(
            f"the class folders ({listed(classes)}) hold no pictures", where=tree.place, fix=_LAYOUT
        )
    samples, classes = checked(samples, classes, data)
    return Scan(samples, classes, tree.ignored, list(tree.files.notes))


def reader(root: Path, data: DataConfig) -> Reader:  # noqa: ARG001  # the contract of all sources
    """Reads whole files, never one outside the root."""
    files = open_place(root, _FIX)
    return Reader(files.read, files.stamp)


class _Tree:
    """The files as class folders see them."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.place = files.place

    @cached_property
    def pictures(self) -> list[str]:
        """Locators of all pictures, in order."""
        return [name for name in self.files.names() if ending(name) in self._endings]

    @cached_property
    def ignored(self) -> list[str]:
        """What is hidden or no picture, in order."""
        others = [name for name in self.files.names() if ending(name) not in self._endings]
        return sorted([*others, *self.files.hidden()])

    def folders(self, above: str = "") -> list[str]:
        """Names of the folders directly in a folder."""
        return self._children.get(above, [])

    def loose(self, above: str = "") -> list[str]:
        """Names of the pictures directly in a folder."""
        prefix = f"{above}/" if above else ""
        rest = (name.removeprefix(prefix) for name in self.pictures if name.startswith(prefix))
        return [name for name in rest if "/" not in name]

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for folder in self.files.folders():
            above, _, name = folder.rpartition("/")
            found[above].append(name)
        return found

    @cached_property
    def _endings(self) -> frozenset[str]:
        return pixels.extensions()


def ending(name: str) -> str:
    """Of a file's name, lower case with the dot."""
    return posixpath.splitext(name)[1].lower()


def _branches(tree: _Tree) -> list[Branch]:
    """The class folders, each with its split; at least one, all at one depth.

    Raises:
        DataError: there are none, or pictures and folders lie where they mean nothing.
    """
    folders, loose = tree.folders(), tree.loose()
    if loose or not folders:
        raise _no_classes(tree.place, loose)
    named = [name for name in folders if name.casefold() in _SPLIT]
    inside = {name: (tree.folders(name), tree.loose(name)) for name in named}
    # A folder called like a split that holds pictures alone is a class (cars, buses and "train"s).
    sides = [name for name in named if inside[name][0] or not inside[name][1] or len(named) == len(folders)]
    if not sides:
        return [(None, name) for name in folders]
    if len(sides) < len(folders):
        classes = [name for name in folders if name not in sides]
        raise DataError(
            f"class folders ({listed(classes)}) stand beside split folders ({listed(sides)})",
            where=tree.place,
            fix="move the class folders into train/, or take the class folders out of the split folders",
        )
    given: dict[str, str] = {}
    for name in sides:
        other = given.setdefault(_SPLIT[name.casefold()], name)
        if other != name:
            raise DataError(
                f"{other}/ and {name}/ are the same split", where=tree.place, fix="merge the two folders"
            )
        if inside[name][1]:
            raise _no_classes(f"{tree.place}/{name}", inside[name][1])
    branches: list[Branch] = [
        (_SPLIT[name.casefold()], f"{name}/{folder}") for name in sides for folder in inside[name][0]
    ]
    if not branches:
        raise _no_classes(tree.place, [])
    return branches


def _no_classes(folder: str, loose: list[str]) -> DataError:
    if loose:
        return DataError(
            f"pictures lie outside of class folders: {listed(loose)}",
            where=folder,
            fix=f"put each into the folder of its class; {_LAYOUT}",
        )
    return DataError("the data folder holds no class folders", where=folder, fix=_LAYOUT)


def _class_names(place: str, branches: list[Branch]) -> dict[str, str]:
    """The class name of each class folder.

    Raises:
        DataError: two folders would be the same class, or one class would have two names.
    """
    names: dict[str, str] = {}
    spelt: dict[str, list[str]] = defaultdict(list)
    for _, folder in branches:
        names[folder] = unicodedata.normalize("NFC", folder.rpartition("/")[2])
        spelt[unicodedata.normalize("NFC", names[folder].casefold().strip())].append(folder)
    for folders in spelt.values():
        one_name = len({names[folder] for folder in folders}) == 1
        one_each = len({folder.rpartition("/")[0] for folder in folders}) == len(folders)
        if not (one_name and one_each):
            raise DataError(
                "these folders name one class in two ways: "
                + ", ".join(repr(folder) for folder in sorted(folders)),
                where=place,
                fix="merge or rename them; case, blanks around and Unicode forms make no other class",
            )
    return names
