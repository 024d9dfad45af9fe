"""The sample table: one row a sample, a parquet file between the stages.

id      32 hex digits: the first half of the SHA-256 of the content (see `content_id`)
path    locator inside the source's folder, posix; for packed sources "<file name>#<row>"
target  class name; of several labels their names in class order, joined by the separator, "" where a sample
        has none of them; null where it is missing, or where the task has no classes
split   train, val, test or null
group   samples of one group stay on one side of the split; null: on its own
time    ISO 8601, for splits by time
keypoints  flat list by point: x, y in pixels of the stored picture, visibility (0 unknown, 1 hidden, 2 seen)
values  list of numbers to predict
origin  where the source states the label, as "labels.csv:17"
problem why the source cannot give this sample or its label; validate turns it into a finding
width, height, mode, bytes  added by validate
missing added by validate: of a row of a table, values that are not there
twins   added by validate: one name for all samples that show nearly the same picture
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from convoy.errors import IntegrityError
from convoy.io import atomic_path, read_json

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
FILE = "samples.parquet"

_FIELDS: dict[str, Any] = {
    "id": pa.string(),
    "path": pa.string(),
    "target": pa.string(),
    "split": pa.string(),
    "group": pa.string(),
    "time": pa.string(),
    "keypoints": pa.list_(pa.float64()),
    "values": pa.list_(pa.float64()),
    "origin": pa.string(),
    "problem": pa.string(),
    "width": pa.int32(),
    "height": pa.int32(),
    "mode": pa.string(),
    "bytes": pa.int64(),
    "missing": pa.int32(),
    "twins": pa.string(),
}
_FIX = "run the earlier stages again (`dvc repro`)"
REQUIRED = ("id", "path", "target", "split")
_NULLABLE = ("target", "split", "group", "time", "origin", "problem", "twins")


def content_id(content: bytes | NDArray[np.generic]) -> str:
    """The id of a sample: of encoded files their bytes, of arrays the shape as "HxW:" and the pixels."""
    digest = hashlib.sha256()
    if isinstance(content, bytes):
        digest.update(content)
    else:
        digest.update(f"{'x'.join(map(str, content.shape))}:".encode())
        digest.update(np.ascontiguousarray(content).data)
    return digest.hexdigest()[:32]


def write(folder: Path, samples: pd.DataFrame) -> None:
    """Write the table as `folder`/samples.parquet; the same rows give the same bytes."""
    columns = [name for name in _FIELDS if name in samples.columns]
    schema = pa.schema([(name, _FIELDS[name]) for name in columns])
    table = pa.Table.from_pandas(samples[columns], schema=schema, preserve_index=False)
    with atomic_path(folder / FILE) as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd")


def read(folder: Path) -> pd.DataFrame:
    """The table of a stage's folder; what is missing is None.

    Raises:
        IntegrityError: there is no such table, it cannot be read or lacks a column.
    """
    path = folder / FILE
    try:
        table = pq.ParquetFile(path).read()
    except (OSError, pa.ArrowInvalid) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged"
        raise IntegrityError(f"cannot read the sample table: {reason}", where=str(path), fix=_FIX) from None
    missing = [name for name in REQUIRED if name not in table.column_names]
    if missing:
        raise IntegrityError(f"the sample table lacks {', '.join(missing)}", where=str(path), fix=_FIX)
    frame: pd.DataFrame = table.to_pandas()
    for name in _NULLABLE:
        if name in frame.columns:
            column = frame[name].astype(object)
            frame[name] = column.where(column.notna(), None)
    return frame


def read_facts(path: Path) -> dict[str, Any]:
    """The JSON object that a stage wrote beside its table.

    Raises:
        IntegrityError: it is missing or damaged.
    """
    try:
        facts: dict[str, Any] = read_json(path)
    except OSError as error:
        raise IntegrityError(f"cannot read it: {error.strerror}", where=str(path), fix=_FIX) from None
    except ValueError:
        raise IntegrityError("the file is damaged", where=str(path), fix=_FIX) from None
    return facts


def digest(samples: pd.DataFrame) -> str:
    """SHA-256 over the rows (id, path, target, split) in their order."""
    rows = zip(*(samples[name].tolist() for name in REQUIRED), strict=True)
    plain = [[None if value is None or value != value else value for value in row] for row in rows]
    return hashlib.sha256(json.dumps(plain, ensure_ascii=True).encode()).hexdigest()


def counts(samples: pd.DataFrame, classes: list[str]) -> dict[str, int]:
    """Samples of each class, in class order."""
    found = samples["target"].value_counts()
    return {name: int(found.get(name, 0)) for name in classes}
