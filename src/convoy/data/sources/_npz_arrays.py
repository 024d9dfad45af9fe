"""What arrays of samples and of their labels in an .npz file are called, and which belong together.

    x_train, y_train; x_val, y_val; x_test, y_test      given splits, some or all, as in Keras's mnist.npz
    train_images, train_labels; val_images …            the same, as in MedMNIST
    images, labels; X, y; x, y; data, target            no given split

X_train is as good as x_train; valid and validation as val.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data.sources._base import listed, unreadable
from convoy.data.sources._npz_file import Archive, Header
from convoy.errors import DataError

_SIDES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
PAIRS: dict[str, tuple[str, str | None]] = {  # samples: labels, split
    **{f"x_{side}": (f"y_{side}", split) for side, split in _SIDES.items()},
    **{f"X_{side}": (f"y_{side}", split) for side, split in _SIDES.items()},
    **{f"{side}_images": (f"{side}_labels", split) for side, split in _SIDES.items()},
    "images": ("labels", None),
    "X": ("y", None),
    "x": ("y", None),
    "data": ("target", None),
}
_NAMES = "x_train and y_train, x_test and y_test, or images and labels, or X and y"


def file(root: Path) -> tuple[Path, list[str]]:
    """The .npz file, and the names of what lies beside it in the folder."""
    if root.suffix == ".npz" and root.is_file():
        return root, []
    fix = "data.path in params.yaml must name a .npz file or a folder with one"
    if not root.is_dir():
        state = "is no folder and no .npz file" if root.exists() else "does not exist"
        raise DataError(f"data.path {state}", where=str(root), fix=fix)
    try:
        paths = sorted(root.iterdir())
    except OSError as error:
        raise unreadable(root, error) from None
    found = [path for path in paths if path.suffix == ".npz" and not path.name.startswith(".")]
    if len(found) != 1:
        some = f"several .npz files: {listed([path.name for path in found])}" if found else "no .npz file"
        raise DataError(f"the data folder holds {some}", where=str(root), fix=fix)
    return found[0], [path.name for path in paths if path != found[0]]


def pairs(archive: Archive) -> list[tuple[str, str, str | None]]:
    """Names of the arrays of samples and of labels that belong together, and their split.

    Raises:
        DataError: no known names, samples without labels or the reverse, arrays with and without a split.
    """
    names = set(archive.names)
    pairs = [
        (images, labels, split)
        for images, (labels, split) in PAIRS.items()
        if images in names and labels in names
    ]
    taken = {name for pair in pairs for name in pair[:2]}
    for images, (labels, split) in PAIRS.items():
        if images in names - taken:
            raise archive.error(f"{images} has no {labels} beside it", fix=f"add the array {labels}")
        if labels in names - taken and split is not None:
            raise archive.error(f"{labels} has no {images} beside it", fix=f"add the array {images}")
    sides = [split for *_, split in pairs]
    if not pairs:
        raise archive.error(
            f"no arrays of known names; it holds {listed(archive.names) or 'none'}",
            fix=f"name them {_NAMES}",
        )
    if len(set(sides)) < len(sides) or (None in sides and len(sides) > 1):
        found = ", ".join(images for images, *_ in pairs)
        raise archive.error(
            f"these arrays exclude each other: {found}", fix="keep one array a split, or one without a split"
        )
    return pairs


def labels(name: str, header: Header, archive: Archive) -> NDArray[Any]:
    """Labels as (N,) of whole numbers or strings."""
    shape = header.shape
    if len(shape) == 2 and shape[1] == 1:
        shape = shape[:1]
    if len(shape) != 1:
        raise archive.error(
            f"{name} has the shape {header.shape}, not one label a sample",
            fix=f"of one-hot labels save {name}.argmax(axis=1)",
        )
    if header.dtype.kind not in "iuUS":
        raise archive.error(
            f"{name} is of {header.dtype}, not of whole numbers or strings",
            fix=f'save {name}.astype("int64") or {name}.astype("U")',
        )
    found = archive.array(name).reshape(shape)
    if found.dtype.kind != "S":
        return found
    try:
        return np.char.decode(found, "utf-8")
    except UnicodeDecodeError:
        raise archive.error(f"{name} holds strings that are not UTF-8") from None


def classes(found: list[NDArray[Any]], names: list[str], where: str) -> list[str]:
    """The class names, numbers in numeric order, strings by code point."""
    if len({each.dtype.kind == "U" for each in found}) > 1:
        raise DataError(
            f"the labels are numbers in some arrays and strings in others: {listed(names)}",
            where=where,
            fix="save them all in one way",
        )
    known = sorted({label for each in found for label in np.unique(each).tolist()})
    return [str(label) for label in known if label != ""]
