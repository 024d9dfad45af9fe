"""Times as people write them, made uniform."""

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values = NDArray[np.object_]
_EPOCH = r"\d{9,10}(?:\.\d+)?|\d{12,13}"  # seconds, milliseconds
_ZONE = re.compile(r":.*(?:Z|[+-]\d\d:?\d\d)$")
_FORMATS = ("ISO8601", "%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S")
MIXED = "some times have a zone and some do not: the latter are taken for UTC"


def uniform(values: list[str | None]) -> tuple[Values, Values, list[str]]:
    """Times as ISO 8601, all with the same digits, so that they sort as text; those with a zone in UTC.

    Args:
        values: ISO 8601, 2024/5/31 13:45, or seconds or milliseconds since 1970; None: missing.

    Returns:
        (N,) times, (N,) problems, and notes.
    """
    texts = pd.Series(values, dtype=object)
    moments = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[us, UTC]")
    epoch = texts.str.fullmatch(_EPOCH, na=False).astype(bool)
    zoned = ~epoch & texts.str.contains(_ZONE, na=False).astype(bool)
    for form in _FORMATS:
        rest = texts[moments.isna() & texts.notna() & ~epoch]
        if len(rest):
            read = pd.to_datetime(rest, format=form, errors="coerce", utc=True)
            moments.loc[rest.index] = read.astype(moments.dtype)
    if epoch.any():
        numbers = texts[epoch].astype(float)
        seconds = numbers.where(numbers < 1e11, numbers / 1000)
        read = pd.to_datetime((seconds * 1e6).round().astype("int64"), unit="us", utc=True)
        moments.loc[read.index] = read.astype(moments.dtype)
    known = moments.notna().to_numpy(bool)
    written = _written(moments, suffix="+00:00" if (zoned | epoch).any() else "")
    problems = np.full(len(texts), None, dtype=object)
    for row in np.flatnonzero(~known):
        problems[row] = (
            "the time is missing" if values[row] is None else f"the time {values[row]!r} cannot be read"
        )
    mixed = (zoned & known).any() and (known & ~zoned & ~epoch).any()
    times = np.full(len(texts), None, dtype=object)
    times[known] = written[known]
    return times, problems, [MIXED] if mixed else []


def _written(moments: pd.Series, suffix: str) -> Values:
    naive = moments.dt.tz_localize(None)
    whole = bool((naive.dropna().dt.microsecond == 0).all())
    texts = np.datetime_as_string(naive.to_numpy("datetime64[us]"), unit="s" if whole else "us")
    written: Values = texts.astype(object) + suffix
    return written
