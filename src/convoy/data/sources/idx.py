"""MNIST-style idx files, raw or gzipped: `[train-|t10k-|val-]images-idx3-ubyte[.gz]` and their labels.

`train-` and `t10k-` (or `test-`) files are a given split; files without such a prefix are not. A class is
called by its label number. Locators are "<file name>#<row>".
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from convoy.config.data import DataConfig
from convoy.data.sources import _idx_file, _labels, _packed
from convoy.data.sources._base import Reader, Scan, existing, unreadable
from convoy.errors import DataError

_NAME = re.compile(
    r"(?:(?P<side>train|t10k|test|val|valid|validation)-)?(?P<kind>images|labels)[-.]idx(?P<rank>[13])-ubyte"
    r"(?P<packed>\.gz)?"
)
_SPLIT = {"train": "train", "t10k": "test", "test": "test", "val": "val", "valid": "val", "validation": "val"}
_RANK = {"images": 3, "labels": 1}


@dataclass(frozen=True)
class _Pair:
    """An image file with its labels; `side` is the prefix of their names, empty without one."""

    side: str
    images: Path
    labels: Path


def scan(root: Path, data: DataConfig) -> Scan:
    """All rows of all pairs of files, files by name, rows by number.

    Raises:
        DataError: no files, a file without its partner, damaged or of another kind, or of differing lengths.
    """
    pairs, ignored = _pairs(root)
    parts, seen = [], set()
    names = np.array([str(number) for number in range(256)], dtype=object)
    for pair in pairs:
        labels = _idx_file.load(pair.labels, 1)
        length = _idx_file.shape(pair.images, 3)[0]
        if length != len(labels):
            raise DataError(
                f"{pair.images.name} holds {length} images and {pair.labels.name} {len(labels)} labels",
                where=str(root),
                fix=_idx_file.FIX,
            )
        seen.update(np.unique(labels).tolist())
        parts.append(_packed.part(pair.images.name, names[labels], _SPLIT.get(pair.side)))
    samples = pd.concat(parts, ignore_index=True)
    if samples.empty:
        raise DataError("the idx files hold no samples", where=str(root), fix=_idx_file.FIX)
    samples, classes = _labels.checked(samples, [str(number) for number in sorted(seen)], data)
    return Scan(samples, classes, ignored)


def reader(root: Path, data: DataConfig) -> Reader:
    """Reads rows as (H, W) uint8."""

    def load(name: str) -> _packed.Pixels:
        match = _NAME.fullmatch(name)  # only names that `scan` would take, so none outside the root
        if match is None or match["kind"] != "images":
            raise _packed.unknown(name, str(root))
        return _idx_file.load(root / name, 3)

    return _packed.reader(load, str(root))


def _pairs(root: Path) -> tuple[list[_Pair], list[str]]:
    existing(root, fix="data.path in params.yaml must name the folder of the idx files")
    found: dict[tuple[str, str], Path] = {}
    ignored = []
    try:
        paths = sorted(root.iterdir())  # a raw file sorts before its .gz and is preferred
    except OSError as error:
        raise unreadable(root, error) from None
    for path in paths:
        match = _NAME.fullmatch(path.name)
        if match is None or not path.is_file() or int(match["rank"]) != _RANK[match["kind"]]:
            ignored.append(path.name)
            continue
        key = (match["side"] or "", match["kind"])
        if key in found and found[key].name == path.name.removesuffix(".gz"):
            ignored.append(path.name)
        elif key in found:
            raise DataError(
                f"{found[key].name} and {path.name} stand for the same thing",
                where=str(root),
                fix="keep one of the two",
            )
        else:
            found[key] = path
    sides = sorted({side for side, _ in found})
    if not sides:
        raise DataError(
            "no MNIST-style idx files in the data folder",
            where=str(root),
            fix="expected names like train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz",
        )
    if "" in sides and len(sides) > 1:
        raise DataError(
            f"{found.get(('', 'images'), found.get(('', 'labels')))} belongs to no split, others do",
            where=str(root),
            fix="keep either the files with train-, val-, t10k- before their names or those without",
        )
    splits = [_SPLIT.get(side) for side in sides]
    if len(set(splits)) < len(splits):
        raise DataError(
            f"two sets of files are the same split: {', '.join(sides)}",
            where=str(root),
            fix="keep one set of them",
        )
    for side in sides:
        for kind, other in (("images", "labels"), ("labels", "images")):
            if (side, kind) in found and (side, other) not in found:
                raise DataError(
                    f"{found[side, kind].name} has no {other} file beside it",
                    where=str(root),
                    fix=f"add {found[side, kind].name.replace(kind, other)} with the right idx number",
                )
    pairs = [_Pair(side, found[side, "images"], found[side, "labels"]) for side in sides]
    return sorted(pairs, key=lambda pair: pair.images.name), ignored
