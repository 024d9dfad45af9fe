"""Arrays of sequences and their labels in one .npz file, as `numpy.savez` writes it.

`data.path` is the file, or a folder with one. The arrays are named as `_npz_arrays` says: x_train and
y_train, x_test and y_test; or x and y. Sequences are (N, T), or (N, C, T) as aeon has them: N samples, C
channels, T steps. Where they differ in length:

    lengths_train, lengths_test; lengths      (N,) steps that count
    else                                      steps at the end of which every channel is NaN do not count
    split                                     (N,) train, val or test, beside x and y

Nothing is unpickled. Locators are "x_train#12".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig
from convoy.data.sources import _labels, _npz_arrays, _packed, _rows
from convoy.data.sources._base import Reader, Scan
from convoy.data.sources._npz_file import FIX, Archive
from convoy.data.sources._series import Known
from convoy.data.sources._series_file import trimmed
from convoy.errors import DataError


def scan(root: Path, data: DataConfig) -> Scan:
    """All rows of all arrays of sequences, by number.

    Raises:
        DataError: no such file, none or several in the folder, no arrays of known names, damaged ones or ones
            of other types or shapes, numbers that do not fit.
    """
    path, ignored = _npz_arrays.file(root)
    with Archive(path) as archive:
        pairs = _npz_arrays.pairs(archive)
        parts, labels, taken = [], [], set()
        for values, name, split in pairs:
            _check(values, archive)
            found = _npz_arrays.labels(name, archive.header(name), archive)
            if len(found) != (length := archive.header(values).shape[0]):
                raise archive.error(f"{values} holds {length} sequences and {name} {len(found)} labels")
            part = _packed.part(values, [str(label) or None for label in found.tolist()], split)
            if split is None and "split" in archive.names:
                part["split"] = _labels.column(_splits(archive, length))
                taken.add("split")
            parts.append(part)
            labels.append(found)
            taken |= {values, name, _lengths_of(values)}
        ignored += [f"{path.name}:{name}" for name in archive.names if name not in taken]
    classes = _npz_arrays.classes(labels, [name for _, name, _ in pairs], str(path))
    samples = pd.concat(parts, ignore_index=True)
    if samples.empty:
        raise DataError("the arrays hold no samples", where=str(path), fix=FIX)
    if (blank := samples["target"].isna()).any():
        samples["problem"] = _labels.column(["the label is empty" if each else None for each in blank])
    samples, classes = _labels.checked(samples, classes, data)
    return Scan(samples, classes, ignored)


def reader(root: Path, data: DataConfig) -> Reader:
    """Gives arrays (T, C)."""
    path, _ = _npz_arrays.file(root)

    def series() -> Mapping[str, NDArray[Any] | DataError]:
        with Archive(path) as archive:
            return {
                f"{name}#{row}": each
                for name, *_ in _npz_arrays.pairs(archive)
                for row, each in enumerate(_sequences(name, archive))
            }

    return Known(str(path), series).reader()


def _sequences(name: str, archive: Archive) -> list[NDArray[np.float64]]:
    _check(name, archive)
    values = archive.array(name)
    steps = (values[:, None] if values.ndim == 2 else values).transpose(0, 2, 1).astype(np.float64)
    lengths = _lengths_of(name)
    if lengths not in archive.names:
        return [trimmed(each) for each in steps]
    counts = archive.array(lengths)
    if counts.shape != (len(steps),) or counts.dtype.kind not in "iu":
        raise archive.error(f"{lengths} is {counts.dtype} {counts.shape}, not one whole number a sequence")
    if len(counts) and (counts.min() < 0 or counts.max() > steps.shape[1]):
        raise archive.error(f"{lengths} holds {counts.min()} to {counts.max()}; {name} has {steps.shape[1]}")
    return [each[:count] for each, count in zip(steps, counts.tolist(), strict=True)]


def _lengths_of(name: str) -> str:
    """x_train -> lengths_train; train_images -> lengths_train; x -> lengths."""
    side = name.removeprefix("x_").removeprefix("X_").removesuffix("_images")
    return f"lengths_{side}" if side != name else "lengths"


def _splits(archive: Archive, length: int) -> list[str | None]:
    found = [_text(each) for each in archive.array("split").reshape(-1).tolist()]
    if len(found) != length:
        raise archive.error(f"split holds {len(found)} names for {length} sequences")
    strange = sorted({each for each in found if each.lower() not in _rows.SPLITS})
    if strange:
        raise archive.error(f"split holds {strange[0]!r}", fix="it takes train, val and test")
    return [_rows.SPLITS[each.lower()] for each in found]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _check(name: str, archive: Archive) -> None:
    """Raise DataError where an array is none of sequences."""
    header = archive.header(name)
    if header.dtype.kind not in "iuf":
        raise archive.error(
            f"{name} is of {header.dtype}, not of numbers", fix=f'save {name}.astype("float32")'
        )
    if len(header.shape) not in (2, 3) or 0 in header.shape[1:]:
        raise archive.error(
            f"{name} has the shape {header.shape}, not (N, T) or (N, C, T)",
            fix="reshape it before it is saved",
        )
