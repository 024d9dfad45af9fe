"""One idx file, raw or gzipped: "the idx file format" of http://yann.lecun.com/exdb/mnist/.

Two zero bytes, a byte for the type, one for the number of dimensions, the sizes as big-endian 32-bit numbers,
then the values in row-major order, big-endian too.
"""

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.errors import DataError

FIX = "fetch the file again; MNIST-style files are described at http://yann.lecun.com/exdb/mnist/"
_KINDS = {"uint8": (0x08, "unsigned bytes"), ">i4": (0x0C, "32-bit numbers")}


def shape(path: Path, rank: int, dtype: str = "uint8") -> tuple[int, ...]:
    """The sizes in the header, the rest unread.

    Raises:
        DataError: the file is unreadable, of another type or rank.
    """
    with _Opened(path) as handle:
        return _header(path, handle.read(4 + 4 * rank), rank, dtype)


def load(path: Path, rank: int, dtype: str = "uint8") -> NDArray[Any]:
    """The array of a file, read-only; a raw file is memory-mapped, a gzipped one is unpacked into memory.

    Args:
        path: the file; it is taken for gzipped if its name ends in `.gz`.
        rank: the number of dimensions that it must have.
        dtype: of its values, `uint8` or `>i4`.

    Raises:
        DataError: the file is unreadable, of another type or rank, shorter or longer than its header says.
    """
    start = 4 + 4 * rank
    size = np.dtype(dtype).itemsize
    with _Opened(path) as handle:
        sizes = _header(path, handle.read(start), rank, dtype)
        wanted = prod(sizes) * size
        if path.suffix == ".gz":
            body = handle.read()
            _whole(path, len(body), wanted)
            return np.frombuffer(body, dtype).reshape(sizes)
        _whole(path, path.stat().st_size - start, wanted)
        if not wanted:
            return np.zeros(sizes, dtype)
        return np.memmap(path, dtype, "r", offset=start, shape=sizes).view(np.ndarray)


def _whole(path: Path, found: int, wanted: int) -> None:
    if found != wanted:
        problem = "is truncated" if found < wanted else "is longer than its header says"
        raise DataError(f"{path.name} {problem}: {found} bytes, not {wanted}", where=str(path), fix=FIX)


def _header(path: Path, head: bytes, rank: int, dtype: str) -> tuple[int, ...]:
    if len(head) < 4 + 4 * rank:
        raise DataError(f"{path.name} is truncated: it ends in its header", where=str(path), fix=FIX)
    code, kind = _KINDS[dtype]
    magic = code << 8 | rank
    if int.from_bytes(head[:4], "big") != magic:
        raise DataError(
            f"{path.name} is no idx{rank} file of {kind}: "
            f"it begins with 0x{head[:4].hex()}, not 0x{magic:08x}",
            where=str(path),
            fix=FIX,
        )
    sizes = tuple(int.from_bytes(head[at : at + 4], "big") for at in range(4, 4 + 4 * rank, 4))
    if 0 in sizes[1:]:
        raise DataError(f"{path.name} holds images without pixels", where=str(path), fix=FIX)
    return sizes


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
            raise DataError(f"{self._path.name} is truncated", where=str(self._path), fix=FIX) from None
        if isinstance(error, gzip.BadGzipFile | zlib.error):
            raise DataError(
                f"{self._path.name} is not a sound gzip file: {error}", where=str(self._path), fix=FIX
            ) from None
        if isinstance(error, OSError):
            raise self._unreadable(error.strerror) from None

    def _unreadable(self, reason: str | None) -> DataError:
        return DataError(
            f"cannot read {self._path.name}: {reason or 'input/output error'}",
            where=str(self._path),
            fix="mend its permissions",
        )
