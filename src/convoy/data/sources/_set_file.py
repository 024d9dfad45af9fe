"""The files of the named data sets as arrays: pictures (N, H, W) or (N, H, W, 3) of uint8, labels (N,)."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data.sources import _idx_file
from convoy.data.sources._sets import NamedSet
from convoy.errors import DataError

_FIX = "remove it and fetch it again with `convoy data get`"
_CIFAR = (3, 32, 32)  # channels, rows, columns: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version"
_DAMAGE = (OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, MemoryError)
_STL10 = (3, 96, 96)  # channels, columns, rows: https://cs.stanford.edu/~acoates/stl10/


def pictures(known: NamedSet, path: Path) -> NDArray[np.uint8]:
    """The pictures of a file, read-only; memory-mapped unless it is compressed.

    Raises:
        DataError: the file is unreadable, damaged or of another kind.
    """
    if known.kind == "cifar":
        rows = _cifar(known, path)
        return rows[:, known.label_bytes :].reshape(-1, *_CIFAR).transpose(0, 2, 3, 1)
    if known.kind == "stl10":
        return _rows(path, int(np.prod(_STL10))).reshape(-1, *_STL10).transpose(0, 3, 2, 1)
    if known.kind == "svhn":
        found = _matlab(path, "X").transpose(3, 0, 1, 2)
        found.flags.writeable = False
        return found
    images = _idx_file.load(path, 3)
    return images.transpose(0, 2, 1) if known.transposed else images


def labels(known: NamedSet, path: Path, beside: Path | None) -> NDArray[np.int64]:
    """The labels of a file of pictures, counted from 0.

    Args:
        known: the data set.
        path: the pictures.
        beside: the file of the labels, for the kinds that have one.

    Raises:
        DataError: a file is unreadable, damaged or of another kind, there are not as many pictures as labels,
            or a label is none of the set.
    """
    if known.kind == "cifar":
        rows = _cifar(known, path)
        length, found = len(rows), rows[:, known.label_bytes - 1]
    elif known.kind == "svhn":
        length, found = _matlab_length(path), _matlab(path, "y").reshape(-1) % 10
    else:
        assert beside is not None
        if known.kind == "stl10":
            length, found = len(_rows(path, int(np.prod(_STL10)))), _rows(beside, 1)[:, 0]
        elif beside.name.removesuffix(".gz").endswith("-idx2-int"):
            length, found = _idx_file.shape(path, 3)[0], _idx_file.load(beside, 2, ">i4")[:, 0]
        else:
            length, found = _idx_file.shape(path, 3)[0], _idx_file.load(beside, 1)
        path = beside
    if length != len(found):
        raise DataError(f"{path.name}: {length} pictures and {len(found)} labels", where=str(path), fix=_FIX)
    numbers = found.astype(np.int64) - known.first
    wrong = np.flatnonzero((numbers < 0) | (numbers >= len(known.classes)))
    if len(wrong):
        raise DataError(
            f"{path.name}: {len(wrong)} labels are none of the {len(known.classes)} classes; "
            f"the first is {found[wrong[0]]} in row {wrong[0]}",
            where=str(path),
            fix=f"{_FIX}, or name the right data.dataset",
        )
    return numbers


def _cifar(known: NamedSet, path: Path) -> NDArray[np.uint8]:
    return _rows(path, known.label_bytes + int(np.prod(_CIFAR)))


def _rows(path: Path, size: int) -> NDArray[np.uint8]:
    """A file of rows of `size` bytes, memory-mapped: (N, size)."""
    try:
        length = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise DataError(
            f"cannot read {path.name}: {error.strerror}", where=str(path), fix="mend its permissions"
        ) from None
    if not length or length % size:
        raise DataError(
            f"{path.name} is truncated or another file: {length} bytes are no number of rows of {size}",
            where=str(path),
            fix=_FIX,
        )
    return np.memmap(path, np.uint8, "r").view(np.ndarray).reshape(-1, size)


def _matlab(path: Path, name: str) -> NDArray[Any]:
    """A variable of a MATLAB file of version 5."""
    from scipy.io import loadmat

    found = _careful(path, lambda: loadmat(path, variable_names=[name]).get(name))
    rank = {"X": 4, "y": 2}[name]
    if not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.ndim != rank:
        raise DataError(f"{path.name} holds no {name} of uint8", where=str(path), fix=_FIX)
    return found


def _matlab_length(path: Path) -> int:
    """The pictures in a MATLAB file, X not being read."""
    from scipy.io import whosmat

    shapes = {name: shape for name, shape, _ in _careful(path, lambda: whosmat(path))}
    return int(shapes["X"][-1]) if len(shapes.get("X", ())) == 4 else 0


def _careful(path: Path, read: Any) -> Any:
    """What `read()` gives; what scipy raises on damaged files becomes a DataError."""
    from scipy.io.matlab import MatReadError

    try:
        return read()
    except (MatReadError, NotImplementedError, zlib.error, *_DAMAGE) as error:
        reason = str(error).split("\n")[0]
        raise DataError(f"{path.name} is damaged: {reason}", where=str(path), fix=_FIX) from None
