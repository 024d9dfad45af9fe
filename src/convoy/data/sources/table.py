"""A table (CSV, TSV, Parquet) that names pictures and their labels, and the folder or archive they lie in.

`data.table` lies below `data.path`. Paths in column `image_col` start from `data.path` or, if nothing is
there, from the table's folder; absolute ones must lead below `data.path`. Labels are names and stay what the
file says. `split_col` holds train, val or test, `group_col` any text, `time_col` ISO 8601, 2024/5/31 13:45
or seconds since 1970. In place of one label, rows may hold several, numbers or points (see
`convoy.data.sources._targets`). Rows that are wrong by themselves are kept with a `problem`.
"""

import difflib
import posixpath
from pathlib import Path

from convoy.config.data import DataConfig
from convoy.data.files import Files, open_place
from convoy.data.sources import _rows, _tables
from convoy.data.sources._base import Reader, Scan, listed
from convoy.errors import DataError

_FIX = "data.path in params.yaml must name the folder of table and pictures, or an archive of it"


def scan(root: Path, data: DataConfig) -> Scan:
    """A sample for each row, in the table's order.

    Raises:
        ConfigError: data.table ends like no table.
        DataError: there is no such table, it cannot be read, lacks a column, has no rows, or names no picture
            that is there.
    """
    image, target = data.image_col, data.target
    assert data.table is not None
    assert image is not None
    files = open_place(root, _FIX)
    name = locator(files, data.table)
    table = _tables.read(files, name, _rows.columns(image, target, data))
    part = _rows.Part(table, tuple(dict.fromkeys(["", posixpath.dirname(name)])))
    return _rows.scan(root, files, [part], image, target, data)


def reader(root: Path, data: DataConfig) -> Reader:
    """Reads whole files, never one outside the root."""
    return _rows.reader(open_place(root, _FIX))


def locator(files: Files, table: str) -> str:
    """The table's locator.

    Raises:
        DataError: it is not there; tables that are, are named.
    """
    name = posixpath.normpath(table.replace("\\", "/"))
    names = files.names()
    if name in names:
        return name
    tables = [other for other in names if _tables.is_table(other)]
    near = difflib.get_close_matches(name, tables, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    there = f"; there are {listed(tables)}" if tables else "; there are no tables at all"
    raise DataError(
        f"the data hold no table {table!r}{there}",
        where=files.place,
        fix=f"{hint}data.table in params.yaml is a path below data.path",
    )
