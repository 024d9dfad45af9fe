"""Pictures in several files: where one ends, how it is written, and how all are read as if they were one.

Where a shard ends depends on the samples around that place alone (content-defined chunking): a sample that
comes, goes or changes rewrites the shard that it is in, and hardly ever a neighbour, whatever happened
before. Sample i ends a shard if the hash of its id is the least among those of the `radius` samples before
and after it (local-minimum chunking: Bjørner, Blass & Gurevich, "Content-dependent chunking for differential
compression, the local maximum approach", 2010), so shards have more than `radius` samples and about twice as
many on average.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy import io
from convoy.data import statistics
from convoy.data.mapped import reserve
from convoy.data.statistics import Sums

Images = NDArray[np.uint8]

_EXPECTED = 4 << 20  # bytes of pixels in a shard
_LEAST_ROWS = 32  # expected, however large the pictures are
_MOST_SHARDS = 128  # expected; a larger store has larger shards, since every open shard is an open file
_LONGEST = 4  # times the expected length: a shard is cut there in any case
_BLOCK = 1 << 20  # bytes written at a time


@dataclass(frozen=True)
class Shard:
    """A written file of pictures (rows, H, W, C): name, number of rows, digest of its bytes, exact sums."""

    file: str
    rows: int
    sha256: str
    sums: Sums


def cuts(ids: Sequence[str], size: int) -> list[range]:
    """The shards of consecutive samples.

    Args:
        ids: in the order of the store.
        size: bytes of one picture.
    """
    expected = rows_expected(len(ids), size)
    radius, longest = expected // 2, _LONGEST * expected
    starts = [0, *(_minima(ids, radius) + 1).tolist(), len(ids)]
    found = []
    for start, stop in pairwise(starts):
        found += [range(at, min(at + longest, stop)) for at in range(start, stop, longest)]
    return found


def rows_expected(length: int, size: int) -> int:
    """Samples of a shard, on average, in a store of `length` pictures of `size` bytes.

    Doubled until the number of shards is bounded: the places where the larger shards end are among those of
    the smaller ones.
    """
    rows = max(_LEAST_ROWS, _EXPECTED // size)
    while length > rows * _MOST_SHARDS:
        rows *= 2
    return rows


def _minima(ids: Sequence[str], radius: int) -> NDArray[np.int64]:
    """Positions whose hash is the least within `radius`; of equal ones the first counts."""
    digests = b"".join(hashlib.sha256(identity.encode()).digest()[:8] for identity in ids)
    hashes = pd.Series((np.frombuffer(digests, ">u8") >> 11).astype(np.float64))  # 53 bits: exact
    around = hashes.rolling(2 * radius + 1, center=True).min()
    before = hashes.rolling(radius).min().shift(1)
    return np.flatnonzero((hashes == around) & (hashes < before)).astype(np.int64)


def write(path: Path, blocks: Iterable[Images], rows: int, image: tuple[int, int, int]) -> Shard:
    """Write a .npy file, whole or not at all.

    Args:
        path: of the file.
        blocks: pictures (n, H, W, C), `rows` in all.
        image: (H, W, C).

    Raises:
        OSError: the disk is full; known before the first block is asked for.
    """
    digest, portions, done = hashlib.sha256(), [], 0
    with io.atomic_path(path) as temporary, temporary.open("wb") as handle:
        header = {"descr": "|u1", "fortran_order": False, "shape": (rows, *image)}
        np.lib.format.write_array_header_1_0(handle, header)
        handle.flush()
        digest.update(temporary.read_bytes())
        reserve(handle.fileno(), handle.tell(), rows * int(np.prod(image)))
        for block in blocks:
            content = np.ascontiguousarray(block).data.cast("B")
            handle.write(content)
            digest.update(content)
            portions.append(statistics.sums(block))
            done += len(block)
        assert done == rows, f"{done} pictures for a shard of {rows}"
    return Shard(path.name, rows, digest.hexdigest(), statistics.total(portions))


def rows_of_a_block(size: int) -> int:
    """How many pictures of `size` bytes are written at a time."""
    return max(1, _BLOCK // size)


class Rows:
    """Arrays (n, H, W, C) of several shards, read like one array (N, H, W, C).

    `rows[i]` and a slice inside one shard are views, all else are copies. Gathering joins the rows' memory at
    C speed; one `np.take` a shard costs several times as much, since a batch touches most shards once.
    """

    def __init__(self, parts: Sequence[Images]) -> None:
        assert parts, "there are no shards"
        self._parts = list(parts)
        self._bytes = [part.data.cast("B") for part in parts]
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.dtype = parts[0].dtype
        self.shape: tuple[int, ...] = (int(self._starts[-1]), *parts[0].shape[1:])
        self._size = int(np.prod(self.shape[1:]))
        lengths = np.diff(self._starts)
        self._owner = np.repeat(np.arange(len(parts), dtype=np.int32), lengths)  # of each row
        self._place = (np.arange(len(self)) - np.repeat(self._starts[:-1], lengths)) * self._size

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return len(self) * self._size

    @property
    def nbytes(self) -> int:
        return self.size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            place = int(index) + (len(self) if index < 0 else 0)
            if not 0 <= place < len(self):
                raise IndexError(f"there is no picture {index} among {len(self)}")
            part = int(np.searchsorted(self._starts, place, side="right")) - 1
            return self._parts[part][place - self._starts[part]]
        if isinstance(index, slice):
            chosen = range(*index.indices(len(self)))
            if chosen.step != 1:
                return self.take(np.arange(chosen.start, chosen.stop, chosen.step))
            return self._consecutive(chosen.start, max(chosen.start, chosen.stop))
        if isinstance(index, tuple) and index and index[0] is not Ellipsis:
            first, *rest = index
            kept = () if isinstance(first, int | np.integer) else (slice(None),)
            return self[first][(*kept, *rest)]
        if index is Ellipsis or isinstance(index, tuple) or index is None:
            return np.asarray(self)[index]
        wanted = np.asarray(index)
        if wanted.dtype == np.bool_:
            if wanted.shape != (len(self),):
                raise IndexError(f"a mask of shape {wanted.shape} for {len(self)} pictures")
            wanted = np.flatnonzero(wanted)
        return self.take(wanted)

    def take(self, indices: Any, axis: int = 0, out: None = None, mode: str = "raise") -> Images:
        """Copies of pictures by their positions, of any shape: what `np.take` calls."""
        wanted = np.asarray(indices)
        if axis != 0 or out is not None or mode != "raise":
            return np.take(np.asarray(self), wanted, axis=axis, out=out, mode=mode)  # type: ignore[call-overload, no-any-return]
        flat = wanted.reshape(-1)
        if not flat.size:
            return np.empty((*wanted.shape, *self.shape[1:]), self.dtype)
        size, memory = self._size, self._bytes
        owners, places = self._owner[flat].tolist(), self._place[flat].tolist()
        joined = bytearray().join(
            [memory[owner][at : at + size] for owner, at in zip(owners, places, strict=True)]
        )
        return np.frombuffer(joined, self.dtype).reshape(*wanted.shape, *self.shape[1:])

    def _consecutive(self, start: int, stop: int) -> Images:
        first = max(0, int(np.searchsorted(self._starts, start, side="right")) - 1)
        found = []
        while start < stop:
            offset = int(self._starts[first])
            found.append(self._parts[first][start - offset : stop - offset])
            start, first = int(self._starts[first + 1]), first + 1
        if len(found) == 1:
            return found[0]
        return np.concatenate(found) if found else np.empty((0, *self.shape[1:]), self.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("pictures in several shards are no array without a copy")
        whole = np.concatenate(self._parts)
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def reshape(self, *shape: Any) -> NDArray[Any]:
        """A copy of everything, in another shape."""
        return np.asarray(self).reshape(*shape)
