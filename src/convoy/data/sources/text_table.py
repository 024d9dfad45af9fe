"""A table (CSV, TSV, Parquet, JSON lines) with texts in one column and labels in another.

`data.table` lies below `data.path`; `text_col` and `target` name the columns, `split_col`, `group_col` and
`time_col` as for pictures. Rows that are wrong by themselves are kept with a `problem`.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from convoy.config.data import DataConfig
from convoy.data.files import Files, open_place
from convoy.data.sources import _rows, _tables
from convoy.data.sources._base import Reader, Scan
from convoy.data.sources._labels import checked
from convoy.data.sources._texts import Texts
from convoy.data.sources.table import locator
from convoy.errors import DataError

_FIX = "data.path in params.yaml must name the folder of the table, or an archive of it"


def scan(root: Path, data: DataConfig) -> Scan:
    """A sample for each row, in the table's order.

    Raises:
        ConfigError: data.table ends like no table.
        DataError: there is no such table, it cannot be read, lacks a column or has no rows.
    """
    assert data.text_col is not None
    assert data.target is not None
    files = open_place(root, _FIX)
    table = _table(files, data)
    notes = [*files.notes, *table.notes]
    paths = [f"{table.name}#{line}" for line in table.lines]
    samples = _rows.described(table, paths, [None] * len(paths), data.target, data, notes)
    if samples.empty:
        raise DataError(f"{table.name} has no rows", where=files.place, fix="it needs a line for each text")
    samples = samples.drop(columns="problem") if samples["problem"].isna().all() else samples
    notes += _rows.spelt_alike(samples["target"])
    ignored = sorted([*(name for name in files.names() if name != table.name), *files.hidden()])
    samples, classes = checked(samples, _rows.in_order(samples["target"].dropna().unique()), data)
    return Scan(pd.DataFrame(samples), classes, ignored, list(dict.fromkeys(notes)))


def reader(root: Path, data: DataConfig) -> Reader:
    """Gives the cells of `text_col`."""
    files = open_place(root, _FIX)

    def texts() -> Mapping[str, str]:
        assert data.text_col is not None
        table = _table(files, data)
        cells = zip(table.lines, table.columns[data.text_col], strict=True)
        return {f"{table.name}#{line}": cell or "" for line, cell in cells}

    return Texts(files, texts).reader()


def _table(files: Files, data: DataConfig) -> _tables.Table:
    assert data.table is not None
    assert data.text_col is not None
    assert data.target is not None
    return _tables.read(files, locator(files, data.table), _rows.columns(data.text_col, data.target, data))
