"""Whole tables of values as people leave them: without a header, with comments, signs for what is missing."""

import csv
import io
from collections.abc import Sequence

from convoy.config.data import DataConfig
from convoy.config.tables import TableLayout
from convoy.data import encodings
from convoy.data.files import Files
from convoy.data.sources import _tables
from convoy.data.sources._tables import Table
from convoy.errors import DataError

_FIELD = 1 << 24  # characters of one value
_MARKS = (",", ";", "\t")


def layout_of(data: DataConfig) -> TableLayout:
    return data.layout or TableLayout()


def read(files: Files, name: str, layout: TableLayout) -> Table:
    """All columns; blanks around values are taken off, and None stands for what is missing.

    Raises:
        DataError: there is no such file, it is damaged or in an unknown encoding, a row has more or fewer
            values than there are columns, or two columns have one name; with the line.
    """
    if _tables.ending(name) in (".parquet", ".pq", ".jsonl"):
        names = _tables.header(files, name)
        _tables.found(names, names, name)
        table = _tables.read(files, name, names)
    else:
        table = _delimited(files, name, layout)
    missing = set(layout.missing)

    def cleaned(column: _tables.Column) -> _tables.Column:
        bare = [None if value is None else str(value).strip() for value in column]
        return [None if value in missing else value for value in bare]

    return Table(
        name, {key: cleaned(values) for key, values in table.columns.items()}, table.lines, table.notes
    )


def _delimited(files: Files, name: str, layout: TableLayout) -> Table:
    decoded = encodings.decode(files.read(name), name)
    rows, lines = _rows(decoded.text, name, layout)
    if layout.header is not None:
        columns = list(layout.header)
    elif rows:
        columns, rows, lines = [value.strip() for value in rows[0]], rows[1:], lines[1:]
    else:
        raise DataError("the table is empty", where=name, fix="it must begin with a line of column names")
    _tables.found(columns, columns, name)
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(columns):
            named = "data.layout.header" if layout.header is not None else "the header"
            raise DataError(
                f"line {line} has {len(row)} values, {named} {len(columns)}",
                where=f"{name}:{line}",
                fix="put values that hold the separator into quotes; lines that are no rows can be skipped "
                "with data.layout.comment or skip_lines",
            )
    picked: dict[str, _tables.Column] = {
        column: [row[number] for row in rows] for number, column in enumerate(columns)
    }
    return Table(name, picked, lines, [decoded.note] if decoded.note else [])


def _rows(text: str, name: str, layout: TableLayout) -> tuple[list[list[str]], list[int]]:
    """The rows that are neither blank nor comments, and the line that each begins in."""
    kept = text.split("\n")
    for number, line in enumerate(kept):
        if number < layout.skip_lines or (layout.comment and line.startswith(layout.comment)):
            kept[number] = ""  # it keeps its place: lines are counted
    first = next((line for line in kept if line.strip()), "")
    before = csv.field_size_limit(_FIELD)
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = csv.reader(
        io.StringIO("\n".join(kept), newline=""),
        delimiter=_mark(first, name),
        strict=True,
        skipinitialspace=True,
    )
    start = 1
    try:
        for row in reader:
            if any(value.strip() for value in row):
                rows.append(row)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        at = reader.line_num
        raise DataError(
            f"line {at} cannot be read: {error}", where=f"{name}:{at}", fix="close every quote"
        ) from None
    finally:
        csv.field_size_limit(before)
    return rows, lines


def _mark(line: str, name: str) -> str:
    """Of a .tsv a tab; of others a comma, unless only another mark divides the first line."""
    if _tables.ending(name) == ".tsv":
        return "\t"
    counts: Sequence[int] = [len(next(csv.reader([line], delimiter=mark), [])) for mark in _MARKS]
    return "," if counts[0] > 1 else _MARKS[max(range(len(_MARKS)), key=counts.__getitem__)]
