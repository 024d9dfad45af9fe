"""Finished shards of earlier runs of `prepare`, kept until they were of no use for a few runs.

    <kind>/<key>.npy       pictures, as the store has them
    <kind>/<key>.rows.npy  (n,) id, rows and columns of each picture before it was resized
    <kind>/<key>.json      digest and sums; written last, so its presence means complete
    runs.json              what the last runs used

A kind stands for all that decides about pixels besides the content: the spec, the code and its libraries.
Ids are digests of the content, so a shard is found by what would be in it, and so is a single picture. What
is taken from here is compared with its digest first. Files are never changed, since stores link to them.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from convoy import io
from convoy.data import pixels, shards
from convoy.data._threads import cores
from convoy.data.decoding import Picture
from convoy.data.shards import Shard

VERSION = 1
_RUNS = "runs.json"
_KEPT_RUNS = 3
_ROW = np.dtype([("id", "S32"), ("rows", "<i4"), ("columns", "<i4")])
_OPEN = 8  # old shards that are open at a time
_DIGITS = 16  # of a digest, that name a file


@dataclass(frozen=True)
class Kept:
    """A shard on the shelf: its file, and (n, 2) rows and columns that its pictures had before."""

    path: Path
    shard: Shard
    sizes: NDArray[np.int32]


def key(spec: Mapping[str, Any], ids: Sequence[str]) -> str:
    """What a shard is called: a digest of what is in it."""
    text = json.dumps([dict(sorted(spec.items())), list(ids)])
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:_DIGITS]


class Shelf:
    """The shards of one spec.

    Args:
        folder: of all kinds; made where it is missing.
        spec: as for `pixels.prepare`.
    """

    def __init__(self, folder: Path, spec: Mapping[str, Any]) -> None:
        self._folder = folder
        self._spec = dict(spec)
        self._image: tuple[int, int, int] = (spec["height"], spec["width"], spec["channels"])
        self._kind = folder / _kind(spec)
        self._kind.mkdir(parents=True, exist_ok=True)
        self._used: set[str] = set()
        self._opened = lru_cache(_OPEN)(lambda path: np.load(path, mmap_mode="r", allow_pickle=False))

    def find(self, wanted: Sequence[Sequence[str]]) -> list[Kept | None]:
        """The shards that hold exactly these ids each, where they are here and undamaged."""
        with ThreadPoolExecutor(cores()) as pool:
            found = list(pool.map(self._find, wanted))
        self._used |= {kept.path.name for kept in found if kept}
        return found

    def pictures(self, ids: Iterable[str]) -> dict[str, tuple[Path, int]]:
        """Single pictures: where those of `ids` that are here lie, by id: file and row."""
        wanted = {identity.encode() for identity in ids}
        places: dict[bytes, tuple[Path, int]] = {}
        for listed in sorted(self._kind.glob("*.rows.npy")) if wanted else ():
            rows = _loaded(listed)
            for row, identity in enumerate(rows["id"].tolist() if rows is not None else ()):
                if identity in wanted:
                    places[identity] = (listed.with_name(listed.name.replace(".rows", "")), row)
        files = sorted({path for path, _ in places.values()})
        with ThreadPoolExecutor(cores()) as pool:
            sound = {path for path, good in zip(files, pool.map(self._sound, files), strict=True) if good}
        return {identity.decode(): place for identity, place in places.items() if place[0] in sound}

    def take(self, place: tuple[Path, int]) -> Picture:
        """A picture that `pictures` found."""
        path, row = place
        size = self._opened(path.with_name(f"{path.stem}.rows.npy"))[row]
        return Picture(self._opened(path)[row].tobytes(), int(size["rows"]), int(size["columns"]))

    def write(self, ids: Sequence[str], pictures: Iterator[Picture]) -> Kept:
        """Put a shard on the shelf.

        Raises:
            OSError: the disk is full.
        """
        path = self._kind / f"{key(self._spec, ids)}.npy"
        rows = np.zeros(len(ids), _ROW)
        rows["id"] = np.array(ids, dtype="S32")

        def blocks() -> Iterator[NDArray[np.uint8]]:
            step = shards.rows_of_a_block(int(np.prod(self._image)))
            for start in range(0, len(ids), step):
                part = [next(pictures) for _ in range(start, min(start + step, len(ids)))]
                rows["rows"][start : start + step] = [each.rows for each in part]
                rows["columns"][start : start + step] = [each.columns for each in part]
                joined = b"".join([each.pixels for each in part])
                yield np.frombuffer(joined, np.uint8).reshape(-1, *self._image)

        shard = shards.write(path, blocks(), len(ids), self._image)
        with io.atomic_path(path.with_suffix(".rows.npy")) as temporary, temporary.open("wb") as handle:
            np.save(handle, rows, allow_pickle=False)
        io.write_json(path.with_suffix(".json"), {"sha256": shard.sha256, "sums": list(shard.sums)})
        self._used.add(path.name)
        return self._kept(path, shard.sha256, shard.sums, rows)

    def prune(self) -> None:
        """Remember what this run used, and remove what none of the last runs did."""
        used = sorted(f"{self._kind.name}/{Path(name).stem}" for name in self._used)
        try:
            earlier = io.read_json(self._folder / _RUNS)
        except (OSError, ValueError):
            earlier = []
        earlier = earlier if isinstance(earlier, list) else []
        runs = [used, *(run for run in earlier if run != used)][:_KEPT_RUNS]
        io.write_json(self._folder / _RUNS, runs)
        wanted = {name for run in runs if isinstance(run, list) for name in run}
        for path in self._folder.glob("*/*"):
            if f"{path.parent.name}/{path.name.partition('.')[0]}" not in wanted:
                path.unlink(missing_ok=True)
        for folder in self._folder.iterdir():
            if folder.is_dir():
                with suppress(OSError):  # it is not empty
                    folder.rmdir()

    def _find(self, ids: Sequence[str]) -> Kept | None:
        path = self._kind / f"{key(self._spec, ids)}.npy"
        rows = _loaded(path.with_suffix(".rows.npy"))
        facts = _facts(path)
        if rows is None or facts is None or not self._sound(path):
            return None
        if rows["id"].tolist() != [identity.encode() for identity in ids]:
            return None
        return self._kept(path, facts["sha256"], (facts["sums"][0], facts["sums"][1]), rows)

    def _kept(self, path: Path, sha256: str, sums: Any, rows: NDArray[Any]) -> Kept:
        shard = Shard(f"shard-{path.name}", len(rows), sha256, sums)
        return Kept(path, shard, np.stack([rows["rows"], rows["columns"]], axis=1))

    def _sound(self, path: Path) -> bool:
        """Whether a shard is complete and its bytes are those that were written; else it is removed."""
        facts = _facts(path)
        if facts is not None and path.is_file() and io.sha256_file(path) == facts["sha256"]:
            return True
        for each in (path.with_suffix(".json"), path, path.with_suffix(".rows.npy")):
            each.unlink(missing_ok=True)
        return False


def place(kept: Kept, folder: Path) -> None:
    """Bring a shard into a store's folder: as a link where that is possible, else as a copy."""
    target = folder / kept.shard.file
    if target.exists():
        return  # the same pictures in the same order again
    try:
        os.link(kept.path, target)
    except OSError:
        shutil.copyfile(kept.path, target)


def _kind(spec: Mapping[str, Any]) -> str:
    facts = {
        "version": VERSION,
        "spec": dict(spec),
        "pixels": io.sha256_file(Path(pixels.__file__)),
        "libraries": [cv2.__version__, version("pillow"), np.__version__],
    }
    return io.sha256_bytes(io.dump_json(facts).encode("utf-8"))[:_DIGITS]


def _facts(path: Path) -> dict[str, Any] | None:
    """What was written beside a shard; None where it is missing or damaged."""
    try:
        facts = io.read_json(path.with_suffix(".json"))
        return {"sha256": str(facts["sha256"]), "sums": [list(map(int, each)) for each in facts["sums"]]}
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _loaded(path: Path) -> NDArray[Any] | None:
    """The list of a shard's rows; None where it is missing or damaged."""
    try:
        rows: NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return rows if rows.dtype == _ROW and rows.ndim == 1 else None
