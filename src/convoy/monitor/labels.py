"""Labels that come later, and what they say of a model that has answered already.

They are kept in `.convoy/monitor/labels.parquet`: id, target. The last label of a picture counts.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock

from convoy.data.manifest import content_id
from convoy.errors import DataError
from convoy.evaluation.intervals import wilson
from convoy.io import atomic_path
from convoy.layout import STATE
from convoy.monitor.subject import Subject

FILE = STATE / "monitor" / "labels.parquet"


@dataclass(frozen=True)
class Performance:
    """How often the model was right, as far as labels are here.

    Attributes:
        labelled: predictions with a label; `learned` more have one and are left out: it was trained on them.
        of: predictions that were looked at.
        accuracy: of the labelled; None where there are none.
        test_accuracy: when it was tested, on `tests` samples.
        difference: accuracy minus test_accuracy; `interval`: of it (Newcombe 1998).
        worse: the whole interval lies below minus the drop that is borne.
    """

    labelled: int
    learned: int
    of: int
    accuracy: float | None
    test_accuracy: float
    tests: int
    difference: float | None
    interval: tuple[float, float] | None
    worse: bool


def add(root: Path, table: Path, classes: Sequence[str]) -> tuple[int, int]:
    """Take labels from a CSV file with the columns `target` and `id`, or `path`: a file beside the table.

    Returns:
        Labels in the file, and how many of them replace another one.

    Raises:
        DataError: it is no such table, or holds a class that the model does not know.
    """
    found = _read(table, classes)
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        known = load(root)
        changed = sum(known.get(id_) not in (None, target) for id_, target in found.items())
        merged = {**known, **found}
        frame = pd.DataFrame({"id": list(merged), "target": list(merged.values())}, dtype=object)
        with atomic_path(path) as temporary:
            frame.sort_values("id").to_parquet(temporary, index=False)
    return len(found), changed


def load(root: Path) -> dict[str, str]:
    """Id -> label."""
    path = root / FILE
    if not path.is_file():
        return {}
    frame = pd.read_parquet(path)
    return dict(zip(frame["id"], frame["target"], strict=True))


def performance(
    subject: Subject, rows: pd.DataFrame, labels: dict[str, str], *, confidence: float, drop: float
) -> Performance:
    """Compare the answers with the labels that are here.

    Args:
        rows: kept predictions.
        confidence: of the interval.
        drop: accuracy that may be lost.
    """
    known = rows[rows["id"].isin(list(labels))] if len(rows) else rows
    fresh = known[~known["id"].isin(list(subject.learned))] if len(known) else known
    learned, labelled = len(known) - len(fresh), len(fresh)
    base = (subject.accuracy, subject.tests)
    if not labelled:
        return Performance(0, learned, len(rows), None, *base, None, None, False)
    right = int((fresh["id"].map(labels) == fresh["prediction"]).sum())
    low, high = newcombe(right, labelled, round(subject.accuracy * subject.tests), subject.tests, confidence)
    accuracy = right / labelled
    return Performance(
        labelled, learned, len(rows), accuracy, *base, accuracy - subject.accuracy, (low, high), high < -drop
    )  # fmt: skip


def newcombe(right: int, of: int, other: int, of_other: int, confidence: float) -> tuple[float, float]:
    """Interval of right / of minus other / of_other, for independent samples: method 10 of Newcombe (1998),
    from Wilson's intervals of both."""
    shares = np.array([right / of, other / of_other])
    low, high = wilson(np.array([right, other]), np.array([of, of_other]), confidence)
    difference = shares[0] - shares[1]
    below = np.hypot(shares[0] - low[0], high[1] - shares[1])
    above = np.hypot(high[0] - shares[0], shares[1] - low[1])
    return float(difference - below), float(difference + above)


def _read(table: Path, classes: Sequence[str]) -> dict[str, str]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle)
            columns = set(rows.fieldnames or ())
            if "target" not in columns or not columns & {"id", "path"}:
                raise DataError(
                    "labels are a table with the columns `target` and `id` (or `path`)",
                    where=str(table),
                    fix=f"its columns are: {', '.join(sorted(columns)) or 'none'}",
                )
            found: dict[str, str] = {}
            for number, row in enumerate(rows, 2):
                target = (row["target"] or "").strip()
                if not target:  # not labelled yet
                    continue
                if target not in classes:
                    raise DataError(
                        f"{target!r} is no class of the model",
                        where=f"{table}, line {number}",
                        fix=f"its classes are: {', '.join(classes)}",
                    )
                found[_id(row, table, number)] = target
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not a CSV file in UTF-8: {error}", where=str(table)) from None
    except OSError as error:
        raise DataError(f"cannot read the labels: {error.strerror}", where=str(table)) from None
    return found


def _id(row: dict[str, str], table: Path, number: int) -> str:
    given = (row.get("id") or "").strip()
    if given:
        return given
    path = table.parent / (row.get("path") or "").strip()
    try:
        return content_id(path.read_bytes())
    except OSError as error:
        raise DataError(
            f"the picture cannot be read: {error.strerror}",
            where=f"{table}, line {number}: {path}",
            fix="paths are relative to the table; or give the column `id`",
        ) from None
