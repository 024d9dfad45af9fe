"""Which pictures are nearly the same: found by a perceptual hash, confirmed on the thumbnails.

The hash is that of pHash (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions,
2010; `ph_dct_imagehash`): the discrete cosine transform of the grey 32 x 32 picture, its frequencies 1 to 8
in both directions, a bit for each of the upper half. All sums are of whole numbers and exact, so the same
thumbnails give the same bits on every machine.

Two pictures are twins when their hashes differ in at most `MOST_BITS` bits and their thumbnails correlate by
at least `LEAST_CORRELATION` over all pixels and channels (brightness and contrast do not count). Both bounds
were measured. Copies of 5,000 photos, gestures, faces, digits and garments that were scaled by 0.5 or 1.5,
saved as JPEG of quality 85 or made brighter correlate by 0.995 and more (scaling 28 x 28 by 0.5 apart); among
3,000 different digits no pair reaches 0.99, among 3,000 garments none 0.993, among 1,031 gestures none 0.94.
Frames of one video do, and are twins.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.io import atomic_path

MOST_BITS = 4
LEAST_CORRELATION = 0.995
LEAST_CONTRAST = 4.0  # standard deviation of a thumbnail, 0..255, below which there is nothing to compare
_VERSION = 1  # raise it when the same pictures give other pairs
_SIDE = 32
_GREY = np.array([4899, 9617, 1868], np.uint32)  # OpenCV's weights (ITU-R 601) times 2**14
_COSINES = np.round(4096 * np.cos(np.pi / 64 * np.arange(1, 9)[:, None] * (2 * np.arange(32) + 1)))
_BLOCK = 1024
_MANY = 65_536  # candidates at a time
_ROUNDING = 1e-3
_HASHED = 64  # thumbnails at a time, which fit into the cache
_MOST_LEADERS = 8  # different pictures of one hash that are told apart

Rows = NDArray[np.int64]
Thumbnails = Callable[[Rows], NDArray[np.uint8]]


@dataclass(frozen=True)
class Twins:
    """Pairs of nearly the same picture.

    Attributes:
        pairs: (K, 2) positions in the hashes, the smaller first, ordered; not every pair of a cluster is
            there, but enough to connect it.
    """

    pairs: Rows

    def names(self, ids: list[str], rows: Rows) -> list[str | None]:
        """For each of `rows` (positions) the smallest id of its cluster; None: it has no twin among them.

        Args:
            ids: of all positions; equal ids are twins too.
            rows: those that take part.
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        inside = np.zeros(len(ids), bool)
        inside[rows] = True
        edges = self.pairs[inside[self.pairs].all(axis=1)]
        named = pd.Series([ids[row] for row in rows.tolist()], index=rows)
        repeated = named[named.duplicated(keep=False)]
        first = repeated.drop_duplicates()
        same = pd.Series(first.index, index=first).reindex(repeated).to_numpy(np.int64)
        both = np.concatenate([edges, np.stack([same, repeated.index.to_numpy(np.int64)], axis=1)])
        links = coo_array((np.ones(len(both), bool), (both[:, 0], both[:, 1])), shape=(len(ids), len(ids)))
        _, cluster = connected_components(links, directed=False)
        members: dict[int, list[int]] = {}
        for row in np.unique(both).tolist():
            members.setdefault(int(cluster[row]), []).append(row)
        name = {row: min(ids[other] for other in rows_) for rows_ in members.values() for row in rows_}
        return [name.get(row) for row in rows.tolist()]


def hashes(thumbs: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The perceptual hash of thumbnails (N, 32, 32, 3): (N,)."""
    result = np.zeros(len(thumbs), np.uint64)
    for start in range(0, len(thumbs), _HASHED):
        low = _frequencies(thumbs[start : start + _HASHED])
        middle = np.partition(low, 32, axis=1)[:, 32:33]  # half of 64 lie below
        bits = low >= middle
        result[start : start + _HASHED] = np.packbits(bits, axis=1).view(">u8")[:, 0]
    return result


def twins(
    hashed: NDArray[np.uint64], thumbnails: Thumbnails, cache: Path | None = None, key: str = ""
) -> Twins:
    """All twins among pictures.

    Args:
        hashed: of all pictures, (N,).
        thumbnails: positions (K,) -> (K, 32, 32, 3); asked for few.
        cache: a folder that may keep the answer.
        key: stands for the pictures and their order.
    """
    kept = (
        None
        if cache is None
        else cache / f"twins-v{_VERSION}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
    )
    if kept is not None and (known := _read(kept)) is not None:
        return Twins(known)
    pairs = _pairs(hashed, thumbnails)
    if kept is not None:
        for old in kept.parent.glob("twins-*.npy"):
            old.unlink(missing_ok=True)
        with atomic_path(kept) as temporary, temporary.open("wb") as handle:
            np.save(handle, pairs)
    return Twins(pairs)


def correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Pearson's correlation of pictures (K, ...) with (K, ...), over all their values; 0 for flat ones."""
    result = np.zeros(len(one))
    for start in range(0, len(one), _BLOCK):
        a = one[start : start + _BLOCK].reshape(-1, _SIDE * _SIDE * 3).astype(np.float64)
        b = other[start : start + _BLOCK].reshape(-1, _SIDE * _SIDE * 3).astype(np.float64)
        size = a.shape[1]
        sum_a, sum_b = a.sum(axis=1), b.sum(axis=1)
        shared = size * np.einsum("ij,ij->i", a, b) - sum_a * sum_b
        spread_a = size * np.einsum("ij,ij->i", a, a) - sum_a**2
        spread_b = size * np.einsum("ij,ij->i", b, b) - sum_b**2
        enough = np.minimum(spread_a, spread_b) >= (size * LEAST_CONTRAST) ** 2
        result[start : start + _BLOCK] = np.where(
            enough, shared / np.sqrt(np.where(enough, spread_a * spread_b, 1.0)), 0.0
        )
    return result


def _frequencies(thumbs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Frequencies 1..8 in both directions of the grey pictures: (N, 64), whole numbers."""
    grey = sum(weight * thumbs[..., channel] for channel, weight in enumerate(_GREY)) >> 14
    low: NDArray[np.float64] = _COSINES @ grey.astype(np.float64) @ _COSINES.T
    return low.reshape(len(thumbs), 64)


def _pairs(hashed: NDArray[np.uint64], thumbnails: Thumbnails) -> Rows:
    """Confirmed pairs. Pictures of one hash are compared with their leaders, leaders with one another."""
    values, inverse, counts = np.unique(hashed, return_inverse=True, return_counts=True)
    order = np.argsort(inverse, kind="stable")
    ends = np.cumsum(counts)
    found: list[Rows] = []
    leaders: dict[int, list[int]] = {}
    for number in np.flatnonzero(counts > 1).tolist():
        mine = order[ends[number] - counts[number] : ends[number]]
        leaders[number], pairs = _one_hash(mine, thumbnails)
        found.append(pairs)
    near = _near(values)
    if len(near):
        alone = order[ends - counts]  # the first picture of each hash
        simple = ~np.isin(near, list(leaders)).any(axis=1)
        candidates = [alone[near[simple]]]
        for one, other in near[~simple].tolist():
            candidates += [
                np.array([[a, b]])
                for a in leaders.get(one, [int(alone[one])])
                for b in leaders.get(other, [int(alone[other])])
            ]
        found.append(_confirmed(np.concatenate(candidates), thumbnails))
    pairs = np.sort(np.concatenate([np.zeros((0, 2), np.int64), *found]), axis=1)
    return np.unique(pairs, axis=0)


def _one_hash(rows: Rows, thumbnails: Thumbnails) -> tuple[list[int], Rows]:
    """Leaders of pictures that share a hash, and each other picture with the first leader it is a twin of."""
    leaders: list[int] = []
    pairs = [np.zeros((0, 2), np.int64)]
    left = rows
    while len(left) and len(leaders) < _MOST_LEADERS:
        leader, left = int(left[0]), left[1:]
        leaders.append(leader)
        alike = np.concatenate(
            [
                correlation(
                    np.broadcast_to(thumbnails(np.array([leader])), (len(part), _SIDE, _SIDE, 3)),
                    thumbnails(part),
                )
                >= LEAST_CORRELATION
                for part in _blocks(left)
            ]
            or [np.zeros(0, bool)]
        )
        pairs.append(np.stack([np.full(int(alike.sum()), leader), left[alike]], axis=1))
        left = left[~alike]
    return leaders, np.concatenate(pairs)


def _confirmed(candidates: Rows, thumbnails: Thumbnails) -> Rows:
    """Those whose thumbnails correlate."""
    good = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(candidates), _MANY):
        for part in _blocks(_possible(candidates[start : start + _MANY], thumbnails)):
            alike = correlation(thumbnails(part[:, 0]), thumbnails(part[:, 1])) >= LEAST_CORRELATION
            good.append(part[alike])
    return np.concatenate(good)


def _possible(candidates: Rows, thumbnails: Thumbnails) -> Rows:
    """Candidates without most of those that cannot correlate enough, found on 8 x 8 pictures.

    The squared distance of two standardised pictures of n values is 2 n (1 - correlation), and averaging over
    blocks never makes a distance larger.
    """
    needed, place = np.unique(candidates, return_inverse=True)
    sketches = np.concatenate([_sketch(thumbnails(part)) for part in _blocks(needed)])
    one, other = sketches[place.reshape(candidates.shape)].swapaxes(0, 1)
    most = 2 * (1 - LEAST_CORRELATION) + _ROUNDING
    possible: Rows = candidates[np.square(one - other).mean(axis=1) <= most]
    return possible


def _sketch(thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Standardised over the whole picture, then averaged over 8 x 8 blocks: (N, 192)."""
    flat = thumbs.reshape(len(thumbs), -1)
    mean = flat.mean(axis=1, dtype=np.float32)[:, None]
    square = np.square(flat, dtype=np.uint32).mean(axis=1, dtype=np.float64)[:, None]
    spread = np.sqrt(np.maximum(square - mean.astype(np.float64) ** 2, 1.0)).astype(np.float32)
    blocks = thumbs.reshape(len(thumbs), 8, 4, 8, 4, 3).mean(axis=(2, 4), dtype=np.float32)
    standardised: NDArray[np.float32] = (blocks.reshape(len(thumbs), -1) - mean) / spread
    return standardised


def _blocks(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]


def _near(values: NDArray[np.uint64]) -> Rows:
    """Pairs (K, 2) of different hashes that differ in at most MOST_BITS bits.

    Of MOST_BITS + 1 bands of bits at least one is equal in such a pair (M. Norouzi, A. Punjani, D. Fleet,
    Fast Search in Hamming Space with Multi-Index Hashing, 2012), so only hashes that share one are compared.
    """
    found = [np.zeros((0, 2), np.int64)]
    edges = np.linspace(0, 64, MOST_BITS + 2).astype(int).tolist()
    for low, high in pairwise(edges):
        band = (values >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(band, kind="stable")
        ordered = band[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(order)])
        for start, end in zip(starts, np.r_[starts[1:], len(order)], strict=True):
            found += _bucket(values, order[start:end])
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.unique(pairs, axis=0)


def _bucket(values: NDArray[np.uint64], rows: Rows) -> Iterator[Rows]:
    mine = values[rows]
    for start in range(0, len(rows) - 1, _BLOCK):
        block = mine[start : start + _BLOCK, None]
        bits = np.bitwise_count(block ^ mine[None, start:])
        one, other = np.nonzero(bits <= MOST_BITS)
        later = other > one
        if later.any():
            yield np.stack([rows[start + one[later]], rows[start + other[later]]], axis=1)


def _read(path: Path) -> Rows | None:
    try:
        pairs = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return pairs if pairs.ndim == 2 and pairs.shape[1] == 2 and pairs.dtype == np.int64 else None
