"""The earliest samples train, the latest test, val lies between: the past must tell the future.

Equal times are never divided. Samples that belong together count with their latest time, so that nothing
younger than the oldest sample of val trains.
"""

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from convoy.data.manifest import SPLITS
from convoy.data.splits._base import (
    TEST,
    TRAIN,
    VAL,
    Codes,
    Division,
    Floats,
    How,
    Units,
    has,
    named,
    wanting,
)
from convoy.data.splits._classes import refuse_gaps
from convoy.errors import DataError

_REST = {len("2024"): "-01-01", len("2024-05"): "-01"}  # of ISO 8601's short forms, by their lengths


def divide(samples: pd.DataFrame, how: How) -> Division:
    """By fractions of the samples in the order of time, cut between two different times.

    Raises:
        ConfigError: the data name no times.
        DataError: a sample has no time, there are fewer than three different ones, or a class is missing on
            a side.
    """
    if not has(samples, "time"):
        raise wanting("time", "times", "data.time_col")
    times = _instants(samples)
    units = Units(samples, groups=True)
    latest = np.full(len(units), -np.inf)
    np.maximum.at(latest, units.of, times)
    sides = _cut(latest[units.of], how)
    refuse_gaps(
        samples, sides, how.classes, "change split.val and split.test, or use a strategy that ignores time"
    )
    return Division(sides, units)


def _instants(samples: pd.DataFrame) -> Floats:
    """(N,) seconds since 1970; times without a zone are taken for UTC."""
    found, wrong = [], []
    for path, text in zip(samples["path"], samples["time"], strict=True):
        try:
            moment = datetime.fromisoformat(text + _REST.get(len(text), ""))
        except (TypeError, ValueError):
            wrong.append(f"{path} ({'no time' if text is None or text != text else repr(text)})")
            continue
        found.append((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if wrong:
        raise DataError(
            f"{len(wrong)} samples have no time that can be read: {named(wrong)}",
            where="the column that data.time_col names",
            fix="write times as 2024-05-31 or 2024-05-31T13:45:00, or remove these samples",
        )
    return np.array(found, np.float64)


def _cut(times: Floats, how: How) -> Codes:
    """(N,) sides: two cuts between different times, as near to the fractions as they allow."""
    moments, counts = np.unique(times, return_counts=True)
    if len(moments) < len(SPLITS):
        raise DataError(
            f"the samples have {len(moments)} different times, too few for {', '.join(SPLITS)}",
            fix="give times that are finer, or use another split.strategy",
        )
    before = np.cumsum(counts)  # samples up to each moment
    total = len(times)
    first = int(np.abs(before[:-2] - (1 - how.val - how.test) * total).argmin())  # the last that trains
    rest = before[first + 1 : -1]
    second = first + 1 + int(np.abs(rest - (1 - how.test) * total).argmin())
    of = np.searchsorted(moments, times)
    return np.select([of <= first, of <= second], [TRAIN, VAL], TEST).astype(np.int64)
