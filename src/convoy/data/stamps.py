"""What is known of samples without opening them: content ids, kept by the stamps of their files.

A stamp changes whenever a file's content may have changed. As with git's index, a file that changed within
the last two seconds has no stamp: a second change may leave the same times ("racily clean").
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from convoy.config.data import DataConfig
from convoy.io import atomic_path

RACY = 2_000_000_000  # ns; the coarsest clock of a file system in use (FAT) ticks every 2 s
_COLUMNS = ["path", "stamp", "id"]
_VERSION = 1  # of what an id is, and of this table
Known = dict[str, tuple[str, str]]  # locator -> stamp, id


def of(facts: os.stat_result) -> str | None:
    """The stamp of a file: size, times of modification and change in ns, inode; None: it changed just now.

    Take it before the file is read: what changes meanwhile has another stamp then.
    """
    if time.time_ns() - max(facts.st_mtime_ns, facts.st_ctime_ns) < RACY:
        return None
    return f"{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ctime_ns}-{facts.st_ino}"


def of_file(path: str | Path) -> str | None:
    """As `of`; None where there is no such file."""
    try:
        return of(os.stat(path))  # noqa: PTH116  # a million times over
    except (OSError, ValueError):
        return None


def table(folder: Path, data: DataConfig) -> Path:
    """Where the stamps of a source's files are kept: one table for all settings that leave contents alone."""
    key = json.dumps([_VERSION, data.source, data.path, data.table, data.dataset], ensure_ascii=True)
    return folder / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.parquet"


def read(path: Path) -> Known:
    """The table, empty where it is missing or damaged."""
    try:
        columns = pq.ParquetFile(path).read(columns=_COLUMNS).to_pydict()
        rows = zip(*(columns[name] for name in _COLUMNS), strict=True)
        return {locator: (stamp, identity) for locator, stamp, identity in rows}
    except (OSError, pa.ArrowException, LookupError, ValueError):
        return {}


def write(path: Path, rows: Iterable[tuple[str, str | None, str]]) -> None:
    """Keep (locator, stamp, id); rows without a stamp are left out. A disk that is full is no error."""
    kept = [row for row in rows if row[1] is not None]
    columns = list(zip(*kept, strict=True)) if kept else [(), (), ()]
    found = pa.table({n: pa.array(c, pa.string()) for n, c in zip(_COLUMNS, columns, strict=True)})
    try:
        with atomic_path(path) as temporary:
            pq.write_table(found, temporary, compression="zstd")
    except OSError:
        return
