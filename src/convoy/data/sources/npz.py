"""Arrays of pictures and their labels in one .npz file, as `numpy.savez` writes it.

`data.path` is the file, or a folder with one. Pictures and labels go by these names:

    x_train, y_train; x_val, y_val; x_test, y_test      given splits, some or all, as in Keras's mnist.npz
    train_images, train_labels; val_images …            the same, as in MedMNIST
    images, labels; X, y; x, y; data, target            no given split

X_train is as good as x_train; valid and validation as val.

Pictures are uint8 or uint16, (N, H, W) or (N, H, W, 1 to 4); labels are whole numbers or strings, (N,) or
(N, 1). Nothing is unpickled. Arrays that are not compressed (`numpy.savez`) are memory-mapped, others are
unpacked into memory when their first row is read. Locators are "x_train#12".
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig
from convoy.data.sources import _labels, _packed
from convoy.data.sources._base import Reader, Scan, listed, unreadable
from convoy.data.sources._npz_file import FIX, Archive, Header
from convoy.errors import DataError

_SIDES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_PAIRS: dict[str, tuple[str, str | None]] = {  # pictures: labels, split
    **{f"x_{side}": (f"y_{side}", split) for side, split in _SIDES.items()},
    **{f"X_{side}": (f"y_{side}", split) for side, split in _SIDES.items()},
    **{f"{side}_images": (f"{side}_labels", split) for side, split in _SIDES.items()},
    "images": ("labels", None),
    "X": ("y", None),
    "x": ("y", None),
    "data": ("target", None),
}
_NAMES = "x_train and y_train, x_test and y_test, or images and labels, or X and y"


def scan(root: Path, data: DataConfig) -> Scan:
    """All rows of all pictures' arrays, arrays in the order above, rows by number.

    Raises:
        DataError: no such file, none or several in the folder, no arrays of known names, damaged ones or ones
            of other types, pictures and labels of differing number.
    """
    path, ignored = _file(root)
    with Archive(path) as archive:
        pairs = _pairs(archive)
        parts, labels = [], []
        for images, name, split in pairs:
            _check_pictures(images, archive.header(images), archive.where)
            found = _flat(name, archive.header(name), archive)
            if len(found) != (length := archive.header(images).shape[0]):
                raise archive.error(f"{images} holds {length} pictures and {name} {len(found)} labels")
            parts.append((images, split))
            labels.append(found)
        taken = {name for pair in pairs for name in pair[:2]}
        ignored += [f"{path.name}:{name}" for name in archive.names if name not in taken]
    classes = _classes(labels, [name for _, name, _ in pairs], str(path))
    samples = pd.concat(
        [
            _packed.part(images, [str(label) or None for label in found.tolist()], split)
            for (images, split), found in zip(parts, labels, strict=True)
        ],
        ignore_index=True,
    )
    if samples.empty:
        raise DataError("the arrays hold no samples", where=str(path), fix=FIX)
    if (blank := samples["target"].isna()).any():
        samples["problem"] = _labels.column(["the label is empty" if each else None for each in blank])
    samples, classes = _labels.checked(samples, classes, data)
    return Scan(samples, classes, ignored)


def reader(root: Path, data: DataConfig) -> Reader:  # noqa: ARG001  # the contract of all sources
    """Reads rows as (H, W) or (H, W, C) of uint8 or uint16."""

    def load(name: str) -> _packed.Pixels:
        if name not in _PAIRS:
            raise _packed.unknown(name, str(root))
        with Archive(_file(root)[0]) as archive:
            if name not in archive.names:
                raise _packed.unknown(name, str(root))
            _check_pictures(name, archive.header(name), archive.where)
            array = archive.array(name)
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))

    return _packed.reader(load, str(root))


def _file(root: Path) -> tuple[Path, list[str]]:
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


def _pairs(archive: Archive) -> list[tuple[str, str, str | None]]:
    """Names of pictures and labels that belong together, and their split.

    Raises:
        DataError: no known names, pictures without labels or the reverse, arrays with and without a split.
    """
    names = set(archive.names)
    pairs = [
        (images, labels, split)
        for images, (labels, split) in _PAIRS.items()
        if images in names and labels in names
    ]
    taken = {name for pair in pairs for name in pair[:2]}
    for images, (labels, split) in _PAIRS.items():
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


def _check_pictures(name: str, header: Header, where: str) -> None:
    """Raise DataError where an array is none of pictures."""
    kind, shape = header.dtype, header.shape
    if kind.kind == "f":
        raise DataError(
            f"{name} is of {kind}: whether it runs from 0 to 1 or to 255, or is normalised, cannot be known",
            where=where,
            fix=f'save the pictures as they are seen: {name}.astype("uint8") of values from 0 to 255',
        )
    if kind not in (np.uint8, np.uint16) and kind.newbyteorder("=") != np.uint16:
        raise DataError(
            f"{name} is of {kind}, not of uint8 or uint16", where=where, fix=f'save {name}.astype("uint8")'
        )
    if len(shape) == 4 and shape[3] > 4 and 1 <= shape[1] <= 4:
        raise DataError(
            f"{name} has the channels before the rows: {shape}",
            where=where,
            fix=f"save {name}.transpose(0, 2, 3, 1)",
        )
    if len(shape) not in (3, 4) or (len(shape) == 4 and not 1 <= shape[3] <= 4) or 0 in shape[1:]:
        raise DataError(
            f"{name} has the shape {shape}, not (N, H, W) or (N, H, W, 1 to 4)",
            where=where,
            fix="reshape it before it is saved",
        )


def _flat(name: str, header: Header, archive: Archive) -> NDArray[Any]:
    """Labels as (N,) of whole numbers or strings."""
    shape = header.shape
    if len(shape) == 2 and shape[1] == 1:
        shape = shape[:1]
    if len(shape) != 1:
        raise archive.error(
            f"{name} has the shape {header.shape}, not one label a picture",
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


def _classes(labels: list[NDArray[Any]], names: list[str], where: str) -> list[str]:
    """The class names, numbers in numeric order, strings by code point."""
    if len({found.dtype.kind == "U" for found in labels}) > 1:
        raise DataError(
            f"the labels are numbers in some arrays and strings in others: {listed(names)}",
            where=where,
            fix="save them all in one way",
        )
    found = sorted({label for each in labels for label in np.unique(each).tolist()})
    return [str(label) for label in found if label != ""]
