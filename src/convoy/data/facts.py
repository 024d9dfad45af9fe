"""What opening a picture tells: size, mode, brightness, a perceptual hash, a thumbnail; or why it does not.

Every distinct content is opened once, in child processes that may hang or crash (`convoy.data.workers`), and
what was found is kept by content id (`convoy.data.facts_cache`): an unchanged picture is never opened again,
not even to be hashed, since the ids come from the table of `ingest`. Packed sources give arrays, which no
decoder touches: they are looked at in this process.

Columns of the table, by row of the samples:

width, height  as stored, before the EXIF orientation; 0 where it does not open
mode, format   Pillow's names; "array" for packed sources; empty where it does not open
bytes          of the content
mean, std      of the grey picture, 0..255
hash           64 bits, see `convoy.data.similarity`
reason         None, or: missing, empty, truncated, undecodable, oversized, slow, memory, crash
detail         the reason in a sentence
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig, ValidateConfig
from convoy.data import manifest, opening, workers
from convoy.data._threads import in_chunks
from convoy.data.facts_cache import COLUMNS, SIDE, Cache, Part
from convoy.data.glance import NotOpened, glance, quiet
from convoy.data.similarity import Twins, hashes
from convoy.data.similarity import twins as nearly_equal
from convoy.errors import DataError
from convoy.layout import STATE

_BLOCK = 16_384  # pictures whose facts are written together: what a killed run loses at most
_FEW = 200  # so few are not worth a second process
_DIED = {"time": "slow", "memory": "memory", "crash": "crash"}
_PASSING = frozenset({"missing", "slow", "memory", "crash"})  # may be otherwise the next time: not kept

Found = tuple[int, int, str, str, int, float, float, str | None, str | None]  # a row, without the hash


@dataclass(frozen=True)
class Facts:
    """Facts of a table's samples.

    Attributes:
        table: by the samples' index, see above.
        opened: how many pictures were opened now.
        known: how many distinct contents were known from earlier runs.
    """

    table: pd.DataFrame
    opened: int
    known: int
    _places: NDArray[np.int64]
    _cache: Cache

    def thumbnails(self, rows: "pd.Index[Any]") -> NDArray[np.uint8]:
        """(len(rows), 32, 32, 3) RGB, resized to the square by area; black where a picture does not open."""
        return self._cache.thumbnails(self._places[self.table.index.get_indexer(rows)])

    def twins(self, ids: list[str]) -> Twins:
        """Pairs of rows that show nearly the same picture; `ids` of all rows."""
        return nearly_equal(
            self.table["hash"].to_numpy(),
            lambda rows: self.thumbnails(pd.Index(rows)),
            cache=self.folder,
            key=hashlib.sha256("".join(ids).encode()).hexdigest(),
        )

    @property
    def folder(self) -> Path:
        """Where things are kept that depend on these facts alone; it may be deleted at any time."""
        return self._cache.folder

    @property
    def thumbs(self) -> NDArray[np.uint8]:
        """Of all rows."""
        return self.thumbnails(self.table.index)


def of(
    samples: pd.DataFrame,
    data: DataConfig,
    config: ValidateConfig,
    base: Path = Path(),
    *,
    processes: int | None = None,
) -> Facts:
    """Facts of all samples.

    Args:
        samples: id and path; those that `ingest` could not read are `missing`.
        base: the project's root.
        processes: default: all cores.

    Raises:
        DataError: the source cannot be opened.
    """
    cache = Cache.open(base / STATE / "cache" / "facts", config.max_pixels)
    ids = samples["id"].astype(object)
    first = ~ids.duplicated()
    unread = _unread(samples)
    wanted = samples.loc[first & ~unread & ~ids.isin(cache.ids)]
    for start in range(0, len(wanted), _BLOCK):
        block = wanted.iloc[start : start + _BLOCK]
        _open(block["id"].tolist(), block["path"].tolist(), data, config, base, cache, processes)
    known = int((first & ~unread).sum()) - len(wanted)
    table = cache.table(ids.tolist())
    table.index = samples.index
    if unread.any():
        table.loc[unread, "reason"] = "missing"
        table.loc[unread, "detail"] = samples.loc[unread, "problem"]
    return Facts(table, len(wanted), known, cache.places(ids.tolist()), cache)


def unread_id(path: str) -> str:
    """The id that `ingest` gives to a sample that it cannot read."""
    return manifest.content_id(f"unreadable:{path}".encode())


def _unread(samples: pd.DataFrame) -> "pd.Series[bool]":
    if "problem" not in samples.columns:
        return pd.Series(False, index=samples.index)
    rows = zip(samples["id"], samples["path"], samples["problem"], strict=True)
    unread = [problem is not None and identity == unread_id(path) for identity, path, problem in rows]
    return pd.Series(unread, index=samples.index, dtype=bool)


def _open(
    ids: list[str],
    paths: list[str],
    data: DataConfig,
    config: ValidateConfig,
    base: Path,
    cache: Cache,
    processes: int | None,
) -> None:
    """Open the pictures and add what they tell to the cache."""
    with cache.part(ids) as part:
        if _packed(paths[0], data, base):
            rows = _here(paths, data, config, base, part)
        else:
            rows = _in_children(paths, data, config, base, part, processes)
        table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name not in ("id", "hash")])
        table["hash"] = hashes(part.thumbs)
        keep = ~table["reason"].isin(_PASSING).to_numpy()
        part.finish(table, keep)


def _packed(path: str, data: DataConfig, base: Path) -> bool:
    """Whether the source gives arrays; reads a sample and decodes nothing."""
    try:
        return isinstance(opening.reader(data, base)(path), np.ndarray)
    except DataError:
        return False


def _here(paths: list[str], data: DataConfig, config: ValidateConfig, base: Path, part: Part) -> list[Found]:
    look = _Look(opening.reader(data, base), config.max_pixels, part.thumbs)
    chunks = in_chunks(lambda rows: [look((row, paths[row])) for row in rows], len(paths))
    return [found for chunk in chunks for found in chunk]


def _in_children(
    paths: list[str],
    data: DataConfig,
    config: ValidateConfig,
    base: Path,
    part: Part,
    processes: int | None,
) -> list[Found]:
    found = workers.run(
        partial(_looking, data, base, config.max_pixels, part.path),
        list(enumerate(paths)),
        processes=processes or (1 if len(paths) < _FEW else None),
        seconds=config.max_seconds,
        memory_mb=config.max_memory_mb,
    )
    return [
        _nothing(_DIED[each.reason], each.detail) if isinstance(each, workers.Died) else each
        for each in found
    ]


def _looking(
    data: DataConfig, base: Path, max_pixels: int, thumbs: Path
) -> Callable[[tuple[int, str]], Found]:
    """In a child: opens the source; thumbnails go into the file that all share."""
    quiet()
    shared = np.asarray(np.load(thumbs, mmap_mode="r+"))  # a plain array is faster to write to
    return _Look(opening.reader(data, base), max_pixels, shared)


@dataclass(frozen=True)
class _Look:
    """Opens one sample: (row, locator) -> what it tells; its thumbnail goes into `thumbs[row]`."""

    read: Callable[[str], Any]
    max_pixels: int
    thumbs: NDArray[np.uint8]

    def __call__(self, item: tuple[int, str]) -> Found:
        row, path = item
        try:
            content = self.read(path)
        except DataError as error:
            return _nothing("missing", error.what)
        size = len(content) if isinstance(content, bytes) else content.nbytes
        try:
            seen = glance(content, self.max_pixels)
        except NotOpened as error:
            return _nothing(error.reason, error.detail, size)
        grey = (
            seen.image[:, :, 0] if seen.image.shape[2] == 1 else cv2.cvtColor(seen.image, cv2.COLOR_RGB2GRAY)
        )
        mean, std = cv2.meanStdDev(grey)
        self.thumbs[row] = thumbnail(seen.image)
        return (
            seen.width, seen.height, seen.mode, seen.format, size,
            round(float(mean[0, 0]), 3), round(float(std[0, 0]), 3), None, None,
        )  # fmt: skip


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, C) to (32, 32, C), whatever the aspect: linearly to the next lower multiple of 32 of each
    side, then by area, which averages whole blocks (OpenCV's fast path)."""
    height, width = SIDE * max(1, image.shape[0] // SIDE), SIDE * max(1, image.shape[1] // SIDE)
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    if (height, width) != (SIDE, SIDE):
        image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return image.reshape(SIDE, SIDE, -1)


def _nothing(reason: str, detail: str, size: int = 0) -> Found:
    return (0, 0, "", "", size, 0.0, 0.0, reason, detail)
