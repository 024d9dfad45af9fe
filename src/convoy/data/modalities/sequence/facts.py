"""What reading a sequence tells: its length, channels and rate, gaps, whether another one is nearly the same.

Columns of the table, by row of the samples:

length    steps
channels  how many there are
names     of the channels, joined; empty where they have none
rate      samples a second; NaN where it is unknown
gaps      values that are missing or infinite
constant  channels that never change
reason    None, or: missing, empty, truncated, undecodable, ragged
detail    the reason in a sentence
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convoy.config.data import DataConfig, ValidateConfig
from convoy.data import opening
from convoy.data._threads import in_chunks
from convoy.data.modalities.sequence import signals
from convoy.data.similarity import Twins
from convoy.data.sources._base import Reader
from convoy.data.sources._series import Ragged
from convoy.errors import DataError

_COLUMNS = ("length", "channels", "names", "rate", "gaps", "constant", "reason", "detail")
_DIGITS = 2  # of scaled values, in which nearly equal sequences agree
_NOTHING = (0, 0, "", float("nan"), 0, 0)


@dataclass(frozen=True)
class Facts:
    """Facts of a table's samples, see above.

    Attributes:
        table: by the samples' index.
        forms: what nearly equal sequences share, by position; empty where there is none.
        opened: how many sequences were read. known: none is kept between runs.
    """

    table: pd.DataFrame
    forms: list[str] = field(repr=False)
    opened: int
    known: int = 0

    def twins(self, ids: list[str]) -> Twins:  # noqa: ARG002
        """Pairs of sequences that agree to two digits after each channel is scaled."""
        return self._twins

    @cached_property
    def _twins(self) -> Twins:
        first: dict[str, int] = {}
        pairs = [
            (first[form], place)
            for place, form in enumerate(self.forms)
            if form and first.setdefault(form, place) != place
        ]
        return Twins(np.array(pairs, np.int64).reshape(-1, 2))


def of(
    samples: pd.DataFrame,
    data: DataConfig,
    config: ValidateConfig,
    base: Path = Path(),
    *,
    processes: int | None = None,
) -> Facts:
    """Facts of all samples.

    Raises:
        DataError: the source cannot be opened.
    """
    read, paths = opening.reader(data, base), samples["path"].tolist()
    parts = in_chunks(lambda rows: [_read(read, paths[row]) for row in rows], len(paths))
    found = [each for part in parts for each in part]
    table = pd.DataFrame([row for row, _ in found], index=samples.index, columns=list(_COLUMNS))
    for name in ("reason", "detail"):
        column = table[name].astype(object)
        table[name] = column.where(column.notna(), None)
    return Facts(table, [form for _, form in found], len(found))


def _read(read: Reader, path: str) -> tuple[tuple[Any, ...], str]:
    """A row of the table, and the form."""
    try:
        signal = signals.decode(read(path))
    except DataError as error:
        return (*_NOTHING, "ragged" if isinstance(error, Ragged) else "missing", error.what), ""
    except signals.BadSequence as error:
        return (*_NOTHING, error.reason, str(error)), ""
    gaps = np.isnan(signal.values)
    values = signals.filled(signal.values, "interpolate")
    deviation = values.std(axis=0)
    constant = int((np.ptp(values, axis=0) == 0).sum())
    names = ", ".join(signal.names or ())
    rate = float("nan") if signal.rate is None else signal.rate
    row = (*values.shape, names, rate, int(gaps.sum()), constant, None, None)
    return row, "" if constant == values.shape[1] else _form((values - values.mean(axis=0)) / deviation.max())


def _form(values: signals.Values) -> str:
    rounded = np.round(values, _DIGITS) + 0.0  # no negative zero
    return hashlib.sha256(f"{values.shape}".encode() + rounded.tobytes()).hexdigest()[:32]
