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

import numpy as np
import pandas as pd

from convoy.config.data import DataConfig
from convoy.data.sources import _labels, _npz_arrays, _packed
from convoy.data.sources._base import Reader, Scan
from convoy.data.sources._npz_file import FIX, Archive, Header
from convoy.errors import DataError


def scan(root: Path, data: DataConfig) -> Scan:
    """All rows of all pictures' arrays, arrays in the order above, rows by number.

    Raises:
        DataError: no such file, none or several in the folder, no arrays of known names, damaged ones or ones
            of other types, pictures and labels of differing number.
    """
    path, ignored = _npz_arrays.file(root)
    with Archive(path) as archive:
        pairs = _npz_arrays.pairs(archive)
        parts, labels = [], []
        for images, name, split in pairs:
            _check_pictures(images, archive.header(images), archive.where)
            found = _npz_arrays.labels(name, archive.header(name), archive)
            if len(found) != (length := archive.header(images).shape[0]):
                raise archive.error(f"{images} holds {length} pictures and {name} {len(found)} labels")
            parts.append((images, split))
            labels.append(found)
        taken = {name for pair in pairs for name in pair[:2]}
        ignored += [f"{path.name}:{name}" for name in archive.names if name not in taken]
    classes = _npz_arrays.classes(labels, [name for _, name, _ in pairs], str(path))
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


def reader(root: Path, data: DataConfig) -> Reader:
    """Reads rows as (H, W) or (H, W, C) of uint8 or uint16."""

    def load(name: str) -> _packed.Pixels:
        if name not in _npz_arrays.PAIRS:
            raise _packed.unknown(name, str(root))
        with Archive(_npz_arrays.file(root)[0]) as archive:
            if name not in archive.names:
                raise _packed.unknown(name, str(root))
            _check_pictures(name, archive.header(name), archive.where)
            array = archive.array(name)
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))

    return _packed.reader(load, str(root))


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
