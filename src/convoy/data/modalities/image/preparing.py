"""Pictures to memory-mapped arrays, and the statistics of the training split.

Shards that an earlier run finished are taken over, and so are single pictures inside of those that are not
(see `convoy.data.shelf`): a changed picture is decoded alone and rewrites its shard alone.
"""

import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.data import DataConfig, PrepareConfig
from convoy.data import keypoints, manifest, shards, shelf, statistics, store
from convoy.data.decoding import Decoder, decoded
from convoy.data.shelf import Kept, Shelf

_COLUMNS = ("id", "path", "target", "split", "keypoints")
_OWN_SHELF = ".shelf"  # in the output, while there is no other


def prepare(
    samples: pd.DataFrame,
    classes: list[str],
    data: DataConfig,
    config: PrepareConfig,
    *,
    max_pixels: int,
    out: Path,
    cache: Path | None = None,
    processes: int | None = None,
) -> tuple[dict[str, Any], str]:
    """Decode and resize every sample into the store of its split: train/, val/ and test/ in `out`.

    Args:
        samples: with the columns of the sample table.
        cache: where finished shards are kept between runs; None: nowhere.
        processes: see `decoded`.

    Returns:
        What preprocessor.json holds: spec, mean and std (of x / 255 over the training split, by channel); and
        a line for the log.

    Raises:
        DataError: a picture changed since it was ingested, or does not open now.
        OSError: the disk is full.
    """
    samples = samples[[name for name in _COLUMNS if name in samples.columns]]  # the others only take memory
    spec = {**config.model_dump(), "max_pixels": max_pixels}
    shelves = Shelf(cache or out / _OWN_SHELF, spec)
    parts = _parts(samples, spec)
    counts = _complete(parts, shelves, Decoder(data, Path(), spec), processes)
    for side in manifest.SPLITS:
        rows = samples[samples["split"] == side]
        _write(out / side, rows, [part.found for part in parts if part.side == side], classes, spec)
    if cache is None:
        shutil.rmtree(out / _OWN_SHELF)
    else:
        shelves.prune()
    mean, std = _moments([part.found for part in parts if part.side == "train"], spec)
    return {"spec": spec, "mean": mean, "std": std}, str(counts)


def stand_in(config: PrepareConfig, classes: Sequence[str]) -> dict[str, Any]:
    """A preprocessor as if it had been fitted, for what is tried before there are data."""
    spec = {"height": config.height, "width": config.width, "channels": config.channels}
    mean, std = [0.0] * config.channels, [1.0] * config.channels
    return {"modality": "image", "spec": spec, "mean": mean, "std": std, "classes": list(classes)}


@dataclass
class _Part:
    """The samples of one shard, and the shard when it is there."""

    side: str
    ids: list[str]
    paths: list[str]
    kept: Kept | None = None

    @property
    def found(self) -> Kept:
        assert self.kept is not None, "the shard is not written yet"
        return self.kept


@dataclass(frozen=True)
class _Counts:
    """For the log."""

    pictures: int
    decoded: int
    shards: int
    written: int

    def __str__(self) -> str:
        taken = self.pictures - self.decoded
        return (
            f"{self.pictures:,} pictures, {self.decoded:,} decoded, {taken:,} taken over; "
            f"{self.written} of {self.shards} shards written"
        )


def _parts(samples: pd.DataFrame, spec: dict[str, Any]) -> list[_Part]:
    """The shards of all splits, in order."""
    found = []
    for side in manifest.SPLITS:
        rows = samples[samples["split"] == side]
        ids, paths = rows["id"].tolist(), rows["path"].tolist()
        for span in shards.cuts(ids, spec["height"] * spec["width"] * spec["channels"]):
            part = slice(span.start, span.stop)
            found.append(_Part(side, ids[part], paths[part]))
    return found


def _complete(parts: list[_Part], shelves: Shelf, decoder: Decoder, processes: int | None) -> _Counts:
    """Find or write the shards."""
    for part, kept in zip(parts, shelves.find([part.ids for part in parts]), strict=True):
        part.kept = kept
    missing = [part for part in parts if part.kept is None]
    known = shelves.pictures(identity for part in missing for identity in part.ids)
    items = [
        (path, identity)
        for part in missing
        for path, identity in zip(part.paths, part.ids, strict=True)
        if identity not in known
    ]
    with closing(decoded(decoder, items, processes)) as new:
        for part in missing:
            pictures = (shelves.take(known[i]) if i in known else next(new) for i in part.ids)
            part.kept = shelves.write(part.ids, pictures)
    return _Counts(sum(len(part.ids) for part in parts), len(items), len(parts), len(missing))


def _write(
    folder: Path, samples: pd.DataFrame, kept: list[Kept], classes: list[str], spec: dict[str, Any]
) -> None:
    """One split's store, in the table's order."""
    folder.mkdir(parents=True)
    for each in kept:
        shelf.place(each, folder)
    codes = samples["target"].map({name: number for number, name in enumerate(classes)})
    arrays: dict[str, NDArray[Any]] = {
        "target": codes.fillna(-1).to_numpy(dtype="<i8"),
        "id": samples["id"].to_numpy(dtype="S32"),
    }
    if "keypoints" in samples.columns and samples["keypoints"].notna().any():
        sizes = np.concatenate([each.sizes for each in kept])
        points = keypoints.table(samples["keypoints"].tolist(), samples["path"].tolist())
        arrays["keypoints"] = keypoints.resized(points, sizes, spec)
    image = (spec["height"], spec["width"], spec["channels"])
    store.finish(folder, [each.shard for each in kept], image, arrays)


def _moments(kept: list[Kept], spec: dict[str, Any]) -> tuple[list[float], list[float]]:
    count = sum(each.shard.rows for each in kept) * spec["height"] * spec["width"]
    return statistics.moments(statistics.total(each.shard.sums for each in kept), count)
