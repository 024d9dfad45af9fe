"""Tables as people write them (CSV, TSV, Parquet, JSON lines), read as text with the line of each row.

Values stay what the file says: `3.0` is no `3`, `007` keeps its zeros. Of Parquet's typed columns the text is
Python's for numbers, true or false, and ISO 8601 for times.
"""

import csv
import difflib
import io
import json
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from convoy.data import encodings
from convoy.data.files import Files
from convoy.data.sources._base import listed
from convoy.errors import ConfigError, DataError

Column = list[str | None]
_DELIMITERS = (",", ";", "\t")
_FIELD = 1 << 24  # characters of one value
_PLAIN = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_boolean,
          pa.types.is_decimal, pa.types.is_date, pa.types.is_null)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Some columns of a table.

    Attributes:
        name: locator of its file.
        columns: by name; all as long as `lines`.
        lines: of each row, the first of its lines in the file, from 1; of Parquet the number of the row.
        notes: sentences for the user.
    """

    name: str
    columns: dict[str, Column]
    lines: Sequence[int]
    notes: list[str] = field(default_factory=list)


def read(files: Files, name: str, needed: Sequence[str]) -> Table:
    """The needed columns of the table in file `name`; empty cells of text files are "", those of others None.

    Raises:
        ConfigError: the name ends like no table.
        DataError: there is no such file, it is damaged or in an unknown encoding, a row has more or fewer
            values than the header, or a column is missing or stands there twice; with the line.
    """
    reader = _READERS.get(ending(name))
    if reader is None:
        raise ConfigError(
            f"{name!r} is no table of a known kind",
            where="data.table in params.yaml",
            fix=f"choose a file that ends with one of: {', '.join(sorted(_READERS))}",
        )
    return reader(files, name, list(dict.fromkeys(needed)))


def header(files: Files, name: str) -> list[str]:
    """Names of a table's columns.

    Raises:
        DataError: as for `read`.
    """
    end = ending(name)
    if end == ".jsonl":
        return list(dict.fromkeys(column for _, row in _json_rows(files, name) for column in row))
    if end in (".parquet", ".pq"):
        return list(_parquet(files, name).schema_arrow.names)
    return _header(_text(files, name).text, name, end)


def ending(name: str) -> str:
    return posixpath.splitext(name)[1].lower()


def is_table(name: str) -> bool:
    """Whether a file ends like a table."""
    return ending(name) in _READERS


def found(columns: Sequence[str], needed: Sequence[str], place: str) -> None:
    """Raise DataError for columns that are missing, or there twice."""
    missing = [name for name in needed if name not in columns]
    if missing:
        near = [m[0] for name in missing if (m := difflib.get_close_matches(name, columns, 1))]
        hint = f"did you mean {', '.join(repr(name) for name in near)}? " if near else ""
        raise DataError(
            f"the table has no column {', '.join(repr(name) for name in missing)}; "
            f"it has {listed([repr(name) for name in columns], 20) or 'none'}",
            where=place,
            fix=f"{hint}name a column that is there in section data of params.yaml",
        )
    twice = [name for name in needed if list(columns).count(name) > 1]
    if twice:
        raise DataError(f"two columns are called {twice[0]!r}", where=place, fix="rename one of them")


def _text(files: Files, name: str) -> encodings.Text:
    return encodings.decode(files.read(name), name)


def _delimited(files: Files, name: str, needed: list[str]) -> Table:
    decoded = _text(files, name)
    columns = _header(decoded.text, name, ending(name))
    found(columns, needed, name)
    rows, lines = _rows(decoded.text, name, _delimiter(decoded.text, ending(name)))
    width = len(columns)
    if any(len(row) != width or not any(row) for row in rows):
        wrong = [
            (line, len(row))
            for row, line in zip(rows, lines, strict=True)
            if len(row) != width and not (len(row) < 2 and not "".join(row).strip())
        ]
        if wrong:
            line, length = wrong[0]
            more = f" ({len(wrong)} such rows)" if len(wrong) > 1 else ""
            raise DataError(
                f"line {line} has {length} values, the header {width}{more}",
                where=f"{name}:{line}",
                fix="put values that hold the separator into quotes, and close every quote",
            )
        kept = [number for number, row in enumerate(rows) if any(row) and len(row) == width]  # blank lines
        rows, lines = [rows[number] for number in kept], [lines[number] for number in kept]
    at = {column: columns.index(column) for column in needed}
    picked: dict[str, Column] = {column: [row[at[column]] for row in rows] for column in needed}
    return Table(name, picked, lines, [decoded.note] if decoded.note else [])


def _delimiter(text: str, end: str) -> str:
    """Of a .tsv a tab; of others a comma, unless only another mark divides the first line."""
    if end == ".tsv":
        return "\t"
    line = text.lstrip("\r\n").splitlines()[0] if text.strip("\r\n") else ""
    counts = {mark: len(next(csv.reader([line], delimiter=mark), [])) for mark in _DELIMITERS}
    return "," if counts[","] > 1 else max(counts, key=lambda mark: counts[mark])


def _header(text: str, name: str, end: str) -> list[str]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text, end))
    for row in rows:
        if row:
            return [column.strip() for column in row]
    raise DataError("the table is empty", where=name, fix="it must begin with a line of column names")


def _rows(text: str, name: str, delimiter: str) -> tuple[list[list[str]], Sequence[int]]:
    """All rows below the header, blank lines as empty ones, and the line that each begins in."""
    rows: list[list[str]] = []
    before = csv.field_size_limit(_FIELD)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows = list(reader)
        lines: Sequence[int] = range(1, len(rows) + 1)
        if reader.line_num != len(rows):  # values with line ends in them
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
            lines = [1, *(reader.line_num + 1 for _ in reader)][: len(rows)]
    except csv.Error as error:
        line = reader.line_num
        raise DataError(
            f"line {line} cannot be read: {error}", where=f"{name}:{line}", fix="close every quote"
        ) from None
    finally:
        csv.field_size_limit(before)
    top = next(number for number, row in enumerate(rows) if row)
    return rows[top + 1 :], lines[top + 1 :]


def _parquet(files: Files, name: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(io.BytesIO(files.read(name)))
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"the table is damaged or no Parquet: {error}", where=name, fix="write it again"
        ) from None


def _from_parquet(files: Files, name: str, needed: list[str]) -> Table:
    table = _parquet(files, name)
    found(table.schema_arrow.names, needed, name)
    try:
        read = table.read(columns=needed)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"the table is damaged: {error}", where=name, fix="write it again") from None
    columns = {column: _as_text(read.column(column), column, name) for column in needed}
    return Table(name, columns, range(1, read.num_rows + 1))


def _as_text(values: Any, column: str, name: str) -> Column:
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if pa.types.is_floating(kind):
        return [None if value is None else str(value) for value in values.to_pylist()]
    if pa.types.is_timestamp(kind):
        return [None if value is None else value.isoformat() for value in values.to_pylist()]
    if not any(is_kind(kind) for is_kind in _PLAIN):
        raise DataError(
            f"column {column!r} holds {kind}, not text or numbers",
            where=name,
            fix="name another column, or write a table with paths and labels",
        )
    text: Column = values.cast(pa.string()).to_pylist()
    return text


def _from_json_lines(files: Files, name: str, needed: list[str]) -> Table:
    rows = _json_rows(files, name)
    seen = dict.fromkeys(column for _, row in rows for column in row)
    found(list(seen), needed, name)
    columns: dict[str, Column] = {}
    for column in needed:
        values = [row.get(column) for _, row in rows]
        for (line, _), value in zip(rows, values, strict=True):
            if isinstance(value, list | dict):
                kind = "a list" if isinstance(value, list) else "an object"
                raise DataError(
                    f"line {line}: {column!r} is {kind}, not text or a number",
                    where=f"{name}:{line}",
                    fix="name another column",
                )
        columns[column] = [
            {True: "true", False: "false"}.get(v) if isinstance(v, bool) else v for v in values
        ]
    return Table(name, columns, [line for line, _ in rows], [])


def _json_rows(files: Files, name: str) -> list[tuple[int, dict[str, Any]]]:
    """(line, object) for each line that is not blank; numbers stay text."""
    decode = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str).decode
    rows = []
    # Not splitlines: JSON text may hold other line ends, such as U+2028.
    for line, text in enumerate(_text(files, name).text.split("\n"), start=1):
        if not text.strip():
            continue
        try:
            row = decode(text)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            at = f", column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            raise DataError(
                f"line {line}{at} is no JSON: {reason}", where=f"{name}:{line}", fix="mend that line"
            ) from None
        if not isinstance(row, dict):
            raise DataError(f"line {line} is no JSON object", where=f"{name}:{line}", fix="one object a line")
        if "\\ud" in text.lower() and not _is_text(json.dumps(row, ensure_ascii=False)):
            raise DataError(
                f"line {line} holds half of a surrogate pair", where=f"{name}:{line}", fix="mend that line"
            )
        rows.append((line, row))
    return rows


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_READERS: dict[str, Callable[[Files, str, list[str]], Table]] = {
    ".csv": _delimited,
    ".tsv": _delimited,
    ".txt": _delimited,
    ".parquet": _from_parquet,
    ".pq": _from_parquet,
    ".jsonl": _from_json_lines,
}
