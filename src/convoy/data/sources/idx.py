"""MNIST-style idx files, raw or gzipped: `[train-|t10k-|val-]images-idx3-ubyte[.gz]` and their labels.

`train-` and `t10k-` (or `test-`) files are a given split; files without such a prefix are not. A class is
called by its label number. Locators are "<file name>#<row>".
"""

import gzip
import re
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.data.sources._base import Reader, Scan, existing, unreadable
from convoy.errors import DataError

_NAME = re.compile(
    r"(?:(?P<side>train|t10k|test|val|valid|validation)-)?(?P<kind>images|labels)[-.]idx(?P<rank>[13])-ubyte"
    r"(?P<packed>\.gz)?"
)
_SPLIT = {"train": "train", "t10k": "test", "test": "test", "val": "val", "valid": "val", "validation": "val"}
_RANK = {"images": 3, "labels": 1}
_FIX = "fetch the file again; MNIST-style files are described at http://yann.lecun.com/exdb/mnist/"


@dataclass(frozen=True)
class _Pair:
    """An image file with its labels; `side` is the prefix of their names, empty without one."""

    side: str
    images: Path
    labels: Path


def scan(root: Path) -> Scan:
    """All rows of all pairs of files, files by name, rows by number.

    Raises:
        DataError: no files, a file without its partner, damaged or of another kind, or of differing lengths.
    """
    pairs, ignored = _pairs(root)
    parts = []
    for pair in pairs:
        labels = _load(pair.labels, 1)
        length = _shape(pair.images, 3)[0]
        if length != len(labels):
            raise DataError(
                f"{pair.images.name} holds {length} images and {pair.labels.name} {len(labels)} labels",
                where=str(root),
                fix=_FIX,
            )
        parts.append((pair, labels))
    numbers = np.unique(np.concatenate([labels for _, labels in parts]))
    names = np.array([str(number) for number in range(256)], dtype=object)
    samples = pd.concat(
        [
            pd.DataFrame(
                {
                    "path": [f"{pair.images.name}#{row}" for row in range(len(labels))],
                    "target": names[labels],
                    "split": pd.Series([_SPLIT.get(pair.side)] * len(labels), dtype=object),
                }
            )
            for pair, labels in parts
        ],
        ignore_index=True,
    )
    if samples.empty:
        raise DataError("the idx files hold no samples", where=str(root), fix=_FIX)
    return Scan(samples, [str(number) for number in numbers], ignored)


def reader(root: Path) -> Reader:
    """Reads rows as (H, W) uint8; a file is loaded whole, once, when its first row is asked for."""
    images: dict[str, NDArray[np.uint8]] = {}
    lock = threading.Lock()

    def read(locator: str) -> NDArray[np.uint8]:
        name, _, row = locator.rpartition("#")
        if name not in images:
            with lock:
                if name not in images:
                    images[name] = _load(_member(root, name, locator), 3)
        loaded = images[name]
        if not row.isdecimal() or int(row) >= len(loaded):
            raise DataError(f"{name} has no row {row!r}", where=str(root), fix="run ingest again")
        image: NDArray[np.uint8] = loaded[int(row)]
        return image

    return read


def _member(root: Path, name: str, locator: str) -> Path:
    """The image file of a locator; only names that `scan` would take, so none outside the root."""
    match = _NAME.fullmatch(name)
    if match is None or match["kind"] != "images":
        raise DataError(f"{locator!r} is no locator of this source", where=str(root), fix="run ingest again")
    return root / name


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


def _shape(path: Path, rank: int) -> tuple[int, ...]:
    with _Opened(path) as handle:
        return _header(path, handle.read(4 + 4 * rank), rank)


def _load(path: Path, rank: int) -> NDArray[np.uint8]:
    """The array of an idx file of unsigned bytes.

    Raises:
        DataError: it is unreadable, of another type or rank, shorter or longer than its header says.
    """
    with _Opened(path) as handle:
        shape = _header(path, handle.read(4 + 4 * rank), rank)
        body = handle.read()
    wanted = int(np.prod(shape, dtype=object))
    if len(body) != wanted:
        problem = "is truncated" if len(body) < wanted else "is longer than its header says"
        raise DataError(f"{path.name} {problem}: {len(body)} bytes, not {wanted}", where=str(path), fix=_FIX)
    return np.frombuffer(body, np.uint8).reshape(shape)


def _header(path: Path, head: bytes, rank: int) -> tuple[int, ...]:
    if len(head) < 4 + 4 * rank:
        raise DataError(f"{path.name} is truncated: it ends in its header", where=str(path), fix=_FIX)
    magic = 0x0800 + rank  # unsigned bytes, `rank` dimensions
    if int.from_bytes(head[:4], "big") != magic:
        raise DataError(
            f"{path.name} is no idx{rank} file: it begins with 0x{head[:4].hex()}, not 0x{magic:08x}",
            where=str(path),
            fix=_FIX,
        )
    shape = tuple(int.from_bytes(head[at : at + 4], "big") for at in range(4, 4 + 4 * rank, 4))
    if 0 in shape[1:]:
        raise DataError(f"{path.name} holds images without pixels", where=str(path), fix=_FIX)
    return shape


class _Opened:
    """A raw or gzipped file, open for reading; what goes wrong inside becomes a DataError that names it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> gzip.GzipFile:
        try:
            opened = gzip.open(self._path) if self._path.suffix == ".gz" else self._path.open("rb")
        except OSError as error:
            raise self._unreadable(error.strerror) from None
        self._handle = opened
        return opened  # type: ignore[return-value]  # both have read()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._handle.close()
        if isinstance(error, EOFError):
            raise DataError(f"{self._path.name} is truncated", where=str(self._path), fix=_FIX) from None
        if isinstance(error, gzip.BadGzipFile | zlib.error):
            raise DataError(
                f"{self._path.name} is not a sound gzip file: {error}", where=str(self._path), fix=_FIX
            ) from None
        if isinstance(error, OSError):
            raise self._unreadable(error.strerror) from None

    def _unreadable(self, reason: str | None) -> DataError:
        return DataError(
            f"cannot read {self._path.name}: {reason or 'input/output error'}",
            where=str(self._path),
            fix="mend its permissions",
        )
