"""Class folders, flat or below train/, val/ (valid, validation) and test/; a folder of them or an archive.

Taken are the files, at any depth, whose ending says that they are samples; others and hidden ones are ignored
and named. Class names are the folders' names in Unicode NFC. Links are followed if they stay inside the root.
"""

import posixpath
import unicodedata
from collections import defaultdict
from functools import cached_property

import pandas as pd

from convoy.config.data import DataConfig
from convoy.data.files import Files
from convoy.data.sources._base import Scan, listed
from convoy.data.sources._labels import checked
from convoy.errors import DataError

SPLIT_NAMES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
Branch = tuple[str | None, str]  # split, locator of the class folder


def scan(files: Files, endings: frozenset[str], thing: str, data: DataConfig) -> Scan:
    """All samples, by path.

    Raises:
        DataError: no folder, no class folders, samples outside of class folders, class folders beside split
            folders, two names for one class, a link out of the root, a folder that cannot be read, an archive
            that is damaged or unsafe.
    """
    tree = Tree(files, endings, thing)
    found = branches(tree)
    names = class_names(tree.place, found)
    of_folder = {folder: (names[folder], split) for split, folder in found}
    depth = 1 + found[0][1].count("/")
    rows = [(path, *of_folder["/".join(path.split("/", depth)[:depth])]) for path in tree.samples]
    samples = pd.DataFrame(rows, columns=["path", "target", "split"], dtype=object)
    classes = sorted(set(names.values()))
    if samples.empty:
        raise DataError(
            f"the class folders ({listed(classes)}) hold no {thing}s", where=tree.place, fix=tree.layout
        )
    samples, classes = checked(samples, classes, data)
    return Scan(samples, classes, tree.ignored, list(files.notes))


class Tree:
    """The files as class folders see them.

    Args:
        endings: of the files that are samples, lower case with the dot.
        thing: what a sample is called.
    """

    def __init__(self, files: Files, endings: frozenset[str], thing: str) -> None:
        self.files = files
        self.place = files.place
        self.thing = thing
        self.endings = endings

    @cached_property
    def samples(self) -> list[str]:
        """Locators of all files that are samples, in order."""
        return [name for name in self.files.names() if ending(name) in self.endings]

    @cached_property
    def ignored(self) -> list[str]:
        """What is hidden or no sample, in order."""
        others = [name for name in self.files.names() if ending(name) not in self.endings]
        return sorted([*others, *self.files.hidden()])

    @property
    def layout(self) -> str:
        """What is expected, in words."""
        return (
            f"expected <root>/<class>/<{self.thing}>, or <root>/train/<class>/<{self.thing}> with val/ and "
            "test/ beside it"
        )

    def folders(self, above: str = "") -> list[str]:
        """Names of the folders directly in a folder."""
        return self._children.get(above, [])

    def loose(self, above: str = "") -> list[str]:
        """Names of the samples directly in a folder."""
        prefix = f"{above}/" if above else ""
        rest = (name.removeprefix(prefix) for name in self.samples if name.startswith(prefix))
        return [name for name in rest if "/" not in name]

    @cached_property
    def _children(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for folder in self.files.folders():
            above, _, name = folder.rpartition("/")
            found[above].append(name)
        return found


def ending(name: str) -> str:
    """Of a file's name, lower case with the dot."""
    return posixpath.splitext(name)[1].lower()


def branches(tree: Tree) -> list[Branch]:
    """The class folders, each with its split; at least one, all at one depth.

    Raises:
        DataError: there are none, or samples and folders lie where they mean nothing.
    """
    folders, loose = tree.folders(), tree.loose()
    if loose or not folders:
        raise _no_classes(tree, tree.place, loose)
    named = [name for name in folders if name.casefold() in SPLIT_NAMES]
    inside = {name: (tree.folders(name), tree.loose(name)) for name in named}
    # A folder called like a split that holds samples alone is a class (cars, buses and "train"s).
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
        other = given.setdefault(SPLIT_NAMES[name.casefold()], name)
        if other != name:
            raise DataError(
                f"{other}/ and {name}/ are the same split", where=tree.place, fix="merge the two folders"
            )
        if inside[name][1]:
            raise _no_classes(tree, f"{tree.place}/{name}", inside[name][1])
    branches: list[Branch] = [
        (SPLIT_NAMES[name.casefold()], f"{name}/{folder}") for name in sides for folder in inside[name][0]
    ]
    if not branches:
        raise _no_classes(tree, tree.place, [])
    return branches


def _no_classes(tree: Tree, folder: str, loose: list[str]) -> DataError:
    if loose:
        return DataError(
            f"{tree.thing}s lie outside of class folders: {listed(loose)}",
            where=folder,
            fix=f"put each into the folder of its class; {tree.layout}",
        )
    return DataError("the data folder holds no class folders", where=folder, fix=tree.layout)


def class_names(place: str, branches: list[Branch]) -> dict[str, str]:
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
