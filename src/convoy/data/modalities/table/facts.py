"""What reading the rows tells: their values, what each column holds, which rows say the same.

Columns of the table, by row of the samples:

missing  values that are not there
reason   None, or: missing, undecodable
detail   the reason in a sentence
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from convoy.config.data import DataConfig, ValidateConfig
from convoy.config.tables import TableLayout
from convoy.data import opening
from convoy.data.modalities.table import kinds
from convoy.data.similarity import Twins
from convoy.errors import DataError


@dataclass(frozen=True)
class Facts:
    """Facts of a table's samples, see above.

    Attributes:
        table: by the samples' index.
        values: the features as text, None where they are missing; by the samples' index.
        kinds: of the columns.
        layout: how the values are written.
        opened: how many rows were read. known: none is kept between runs, reading is cheap.
    """

    table: pd.DataFrame
    values: pd.DataFrame
    kinds: dict[str, str]
    layout: TableLayout
    opened: int
    known: int = 0

    def twins(self, ids: list[str]) -> Twins:  # noqa: ARG002
        """Pairs of rows that say the same."""
        return self._twins

    @cached_property
    def _twins(self) -> Twins:
        first: dict[tuple[str | None, ...], int] = {}
        pairs = []
        for place, row in enumerate(self.values.itertuples(index=False, name=None)):
            if any(value is not None for value in row) and first.setdefault(row, place) != place:
                pairs.append((first[row], place))
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
    read = opening.reader(data, base)
    rows: list[dict[str, str | None]] = []
    reasons: list[tuple[str | None, str | None]] = []
    for path in samples["path"]:
        try:
            content = read(path)
        except DataError as error:
            rows.append({})
            reasons.append(("missing", error.what))
            continue
        assert isinstance(content, bytes)
        rows.append(json.loads(content))
        reasons.append((None, None))
    values = frame(rows, samples.index)
    table = pd.DataFrame(
        {
            "missing": values.isna().sum(axis=1).astype("int32"),
            "reason": pd.Series([reason for reason, _ in reasons], index=samples.index, dtype=object),
            "detail": pd.Series([detail for _, detail in reasons], index=samples.index, dtype=object),
        },
        index=samples.index,
    )
    layout = data.layout or TableLayout()
    return Facts(table, values, kinds.of(values, dict(data.columns or {}), layout), layout, len(rows))


def frame(rows: list[dict[str, str | None]], index: "pd.Index[int] | None" = None) -> pd.DataFrame:
    """Rows as a table of objects, None where a value is missing; the columns as the first row has them."""
    names = list(dict.fromkeys(name for row in rows[:1] for name in row))
    names += [name for row in rows if len(row) != len(names) for name in row if name not in names]
    columns = {name: pd.Series([row.get(name) for row in rows], index=index, dtype=object) for name in names}
    found = pd.DataFrame(columns, index=index if index is not None else range(len(rows)), dtype=object)
    return found.where(found.notna(), None)
