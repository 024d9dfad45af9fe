"""Facts of pictures by content id, kept between runs: .convoy/cache/facts/<version>/<part>.{parquet,npy}.

A part is written once and never changed: its thumbnails (N, 32, 32, 3) first, its table last. A part that is
damaged or lacks its thumbnails is as if it were not there. Many small parts become one.
The folder is keyed by all that the facts depend on besides the content: this version, the bound on pixels
and the versions of the decoders. It may be deleted at any time.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from convoy.data.mapped import allocate
from convoy.io import atomic_path

SIDE = 32  # of a thumbnail, in pixels
_VERSION = 1  # raise it when the same content gives other facts
_MOST_PARTS = 8
_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("mode", pa.string()),
        ("format", pa.string()),
        ("bytes", pa.int64()),
        ("mean", pa.float64()),
        ("std", pa.float64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("hash", pa.uint64()),
        ("position", pa.int64()),  # of the thumbnail
    ]
)
COLUMNS = tuple(name for name in _SCHEMA.names if name != "position")


@dataclass
class Part:
    """A part that is being made: its thumbnails lie in an .npy file that other processes may fill."""

    ids: list[str]
    path: Path
    thumbs: NDArray[np.uint8]
    rows: pd.DataFrame | None = None
    keep: NDArray[np.bool_] | None = None

    def finish(self, rows: pd.DataFrame, keep: NDArray[np.bool_]) -> None:
        """Take the rows, in the ids' order; those not in `keep` are known to this run alone."""
        self.rows = rows.assign(id=self.ids, position=np.arange(len(rows)))[_SCHEMA.names]
        self.keep = keep


@dataclass
class Cache:
    """What is known, and where it lies.

    Attributes:
        folder: of the parts.
        rows: COLUMNS, and part and position of the thumbnail; by id.
    """

    folder: Path
    _rows: pd.DataFrame
    _thumbs: list[NDArray[np.uint8]] = field(default_factory=list)

    @classmethod
    def open(cls, root: Path, max_pixels: int) -> "Cache":
        """Read the parts that are whole."""
        key = f"v{_VERSION}-pillow{version('pillow')}-opencv{cv2.__version__}-{max_pixels}"
        folder = root / key
        thumbs: list[NDArray[np.uint8]] = []
        tables = []
        for path in sorted(folder.glob("*.parquet")):
            table, pictures = _read(path)
            if table is not None and pictures is not None:
                tables.append(_placed(table, len(thumbs)))
                thumbs.append(pictures)
        if len(tables) > _MOST_PARTS:
            tables, thumbs = _merge(folder, tables, thumbs)
        return cls(folder, _joined(tables), thumbs)

    @property
    def ids(self) -> "pd.Index[str]":
        """All that are known."""
        return self._rows.index

    def table(self, ids: list[str]) -> pd.DataFrame:
        """The facts of `ids`, in their order; unknown ones have none."""
        rows = self._rows.reindex(ids)[[name for name in COLUMNS if name != "id"]].reset_index(drop=True)
        whole = {"width": "int32", "height": "int32", "bytes": "int64", "hash": "uint64"}
        if not rows.empty and rows["width"].isna().any():
            rows[list(whole)] = rows[list(whole)].fillna(0)
            rows[["mean", "std"]] = rows[["mean", "std"]].fillna(0.0)
            rows[["mode", "format"]] = rows[["mode", "format"]].fillna("")
        rows = rows.astype(whole)
        for name in ("mode", "format", "reason", "detail"):
            values = rows[name].astype(object)
            rows[name] = values.where(values.notna(), None)
        return rows

    def places(self, ids: list[str]) -> NDArray[np.int64]:
        """Where the thumbnails of `ids` lie: (N, 2) part and position; -1 where there is none."""
        places: NDArray[np.int64] = (
            self._rows[["part", "position"]].reindex(ids).fillna(-1).to_numpy().astype(np.int64)
        )
        return places

    def thumbnails(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """(len(places), SIDE, SIDE, 3); black where there is none."""
        result = np.zeros((len(places), SIDE, SIDE, 3), np.uint8)
        for number in np.unique(places[:, 0]).tolist():
            if number >= 0:
                mine = np.flatnonzero(places[:, 0] == number)
                result[mine] = self._thumbs[number][places[mine, 1]]
        return result

    @contextmanager
    def part(self, ids: list[str]) -> Iterator[Part]:
        """Add a part: what `finish` got is known from the end of the block on, and kept on the disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".thumbs-", suffix=".npy", dir=self.folder)
        os.close(handle)
        path = Path(name)
        try:
            thumbs = allocate(path, (len(ids), SIDE, SIDE, 3), np.dtype(np.uint8))
            part = Part(ids, path, np.asarray(thumbs))
            yield part
            assert part.rows is not None
            assert part.keep is not None
            self._rows = _joined([self._rows, _placed(part.rows, len(self._thumbs))])
            self._thumbs.append(part.thumbs)  # the mapping outlives the file's name
            if part.keep.any():
                _write(self.folder, part.rows[part.keep], path)
        finally:
            path.unlink(missing_ok=True)


def _placed(table: pd.DataFrame, part: int) -> pd.DataFrame:
    return table.assign(part=part).set_index("id")


def _joined(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """One table; of an id that stands in several parts, the last counts."""
    filled = [table for table in tables if len(table)]
    if not filled:
        return _placed(_SCHEMA.empty_table().to_pandas(), 0)
    rows = pd.concat(filled) if len(filled) > 1 else filled[0]
    return rows[~rows.index.duplicated(keep="last")]


def _read(path: Path) -> tuple[pd.DataFrame | None, NDArray[np.uint8] | None]:
    """A part, or nothing where it is not whole."""
    try:
        table = pq.ParquetFile(path).read()
        pictures = np.load(path.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, pa.ArrowInvalid):
        return None, None
    frame: pd.DataFrame = table.to_pandas()
    sound = table.schema.equals(_SCHEMA) and pictures.shape[1:] == (SIDE, SIDE, 3)
    if not sound or pictures.dtype != np.uint8 or not frame["position"].between(0, len(pictures) - 1).all():
        return None, None
    return frame, np.asarray(pictures)


def _write(folder: Path, rows: pd.DataFrame, thumbs: Path) -> str:
    """Add a part of rows and a file of thumbnails, which is moved; returns its name.

    The name comes from the ids, so the same part written twice is one.
    """
    name = hashlib.sha256("".join(rows["id"]).encode()).hexdigest()[:16]
    with thumbs.open("rb") as written:
        os.fsync(written.fileno())
    (folder / f"{name}.parquet").unlink(missing_ok=True)  # no table stands beside thumbnails of another part
    thumbs.replace(folder / f"{name}.npy")
    table = pa.Table.from_pandas(rows, schema=_SCHEMA, preserve_index=False)
    with atomic_path(folder / f"{name}.parquet") as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd")
    return name


def _merge(
    folder: Path, tables: list[pd.DataFrame], thumbs: list[NDArray[np.uint8]]
) -> tuple[list[pd.DataFrame], list[NDArray[np.uint8]]]:
    """All parts as one; the old ones go when it is written."""
    rows = _joined(tables)
    old = {path.stem for path in folder.glob("*.parquet")}
    handle, name = tempfile.mkstemp(prefix=".thumbs-", suffix=".npy", dir=folder)
    os.close(handle)
    path = Path(name)
    try:
        shape = (len(rows), SIDE, SIDE, 3)
        pictures = allocate(path, shape, np.dtype(np.uint8))
        for number, part in enumerate(thumbs):
            mine = np.flatnonzero(rows["part"].to_numpy() == number)
            pictures[mine] = part[rows["position"].to_numpy()[mine]]
        pictures.flush()
        plain = rows.reset_index().assign(position=np.arange(len(rows)))[_SCHEMA.names]
        new = _write(folder, plain, path)
    finally:
        path.unlink(missing_ok=True)
    for stem in old - {new}:
        (folder / f"{stem}.parquet").unlink(missing_ok=True)
        (folder / f"{stem}.npy").unlink(missing_ok=True)
    return [_placed(plain, 0)], [np.asarray(pictures)]
