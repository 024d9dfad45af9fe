"""Predictions that were made, kept for a comparison: small parquet files in `.convoy/monitor/kept`.

A row: when, the picture's id (as in the sample table: 32 hex digits of the SHA-256 of its bytes), the model,
its answer and how sure it was, what its modality measures (of a picture: brightness, size …). Never the
picture, its name or who asked.

Whoever predicts must not wait for the disk: rows are collected in memory and written by a thread. What does
not fit in memory is counted and forgotten; so are the oldest rows once there are too many.
"""

import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convoy import plugins
from convoy.bundle.reference import confidence
from convoy.data.manifest import content_id
from convoy.io import atomic_path
from convoy.layout import STATE
from convoy.serving.predictor import Content, Sample
from convoy.serving.source import Reference

if TYPE_CHECKING:
    import pandas as pd

FOLDER = STATE / "monitor" / "kept"
_PART = 5_000  # rows of a file
_WAITING = 50_000  # rows in memory
_SECONDS = 10.0  # between two writes

Row = dict[str, Any]


class Keeper:
    """Keeps what one process predicts; its methods may be called from several threads.

    Args:
        root: of the project.
        limit: rows that are kept, of all processes together.
        seconds: after which rows are on disk at the latest.
    """

    def __init__(self, root: Path, limit: int, *, seconds: float = _SECONDS) -> None:
        self._folder = root / FOLDER
        self._limit = limit
        self._seconds = seconds
        self._lock = threading.Lock()
        self._waiting: list[Row] = []
        self._part: list[Row] = []
        self._path = self._new_path()
        self._sizes: dict[Path, int] = {}
        self._dropped = 0
        self._failed = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="keep-predictions", daemon=True)
        self._thread.start()

    def look(self, modality: str, content: Content, sample: Sample) -> Row:
        """What is kept of a sample: its id, and what its modality measures."""
        whole = content.encode("utf-8") if isinstance(content, str) else content
        assert not isinstance(whole, Path), "whoever looks has read the file"
        return {"id": content_id(whole), **plugins.load("looking", modality).of_sample(content, sample)}

    def put(
        self, model: Reference, looks: Sequence[Row], classes: Sequence[str], rows: NDArray[np.float64]
    ) -> None:
        """Keep answers, probabilities (n, classes), for pictures that were looked at."""
        at = time.time_ns() // 1000
        sure = confidence(rows.max(axis=1))
        kept = [
            {
                "at": at, "model": model.name, "version": model.version, "digest": model.digest,
                "prediction": classes[int(best)], "confidence": float(value), **look,
            }
            for look, best, value in zip(looks, rows.argmax(axis=1), sure, strict=True)
        ]  # fmt: skip
        with self._lock:
            room = max(0, _WAITING - len(self._waiting))
            self._waiting += kept[:room]
            self._dropped += len(kept[room:])

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._seconds):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
            dropped, self._dropped = self._dropped, 0
        if dropped:
            self._say(f"{dropped} predictions were not kept: they came faster than the disk takes them")
        try:
            for first in range(0, len(waiting), _PART):
                self._add(waiting[first : first + _PART])
        except OSError as error:  # predicting goes on without
            self._part, self._path = [], self._new_path()
            self._say(f"predictions are not kept: {error.strerror or error}")

    def _add(self, rows: list[Row]) -> None:
        """Write the file that is being filled anew, with these rows."""
        if len(self._part) + len(rows) > _PART:
            self._part, self._path = [], self._new_path()
        self._part = [*self._part, *rows]
        write(self._path, self._part)
        self._sizes[self._path] = len(self._part)
        self._forget()

    def _forget(self) -> None:
        """Remove the oldest files that are not needed for the newest `limit` rows."""
        total = 0
        for path in reversed(parts(self._folder)):
            if total >= self._limit:
                path.unlink(missing_ok=True)
                self._sizes.pop(path, None)
                continue
            if path not in self._sizes:
                self._sizes[path] = _length(path)
            total += self._sizes[path]

    def _new_path(self) -> Path:
        return self._folder / f"{time.time_ns():020d}-{os.getpid()}.parquet"

    def _say(self, problem: str) -> None:
        if problem != self._failed:
            sys.stderr.write(f"convoy: {problem}\n")
        self._failed = problem


def write(path: Path, rows: Sequence[Row]) -> None:
    """One file, whole or not at all.

    Raises:
        OSError: the disk is full.
    """
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pylist(list(rows), schema=_schema(rows))
    with atomic_path(path) as temporary:
        parquet.write_table(table, temporary)


def read(root: Path, digest: str, newest: int) -> "pd.DataFrame":
    """The newest kept predictions of one bundle, the oldest first; `at` is in microseconds of UTC.

    A picture that was asked several times counts once, at its last time: copies of a picture tell nothing
    new, and the tests take them for independent.
    """
    import pyarrow as pa
    from pyarrow import compute, parquet

    tables: list[Any] = []
    known: set[str] = set()
    for path in reversed(parts(root / FOLDER)):
        try:
            table = parquet.read_table(path)
        except FileNotFoundError:  # forgotten meanwhile
            continue
        table = table.filter(compute.equal(table["digest"], digest))
        tables.append(table)
        known.update(table["id"].to_pylist())
        if len(known) >= newest and len(tables) > 1:  # one more: files of two processes overlap in time
            break
    if not tables:
        tables = [_schema([]).empty_table()]
    frame: pd.DataFrame = pa.concat_tables(tables, promote_options="default").to_pandas()
    frame = frame.sort_values("at", kind="stable").drop_duplicates("id", keep="last")
    return frame.tail(newest).reset_index(drop=True)


def parts(folder: Path) -> list[Path]:
    """The files, the oldest first."""
    return sorted(folder.glob("*.parquet"))


def _length(path: Path) -> int:
    from pyarrow import parquet

    try:
        return int(parquet.read_metadata(path).num_rows)
    except FileNotFoundError:
        return 0


def _schema(rows: Sequence[Row]) -> Any:
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("id", "model", "version", "digest", "prediction")]
    present = {name for row in rows for name in row}
    measured = sorted(present - {"at", "confidence", *dict(texts)})
    numbers = [(name, pa.float32()) for name in ("confidence", *measured)]
    return pa.schema([("at", pa.int64()), *texts, *numbers])
