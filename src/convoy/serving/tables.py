"""Lists of pictures out of CSV files, and answers into CSV, Parquet or JSON, written as they come."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from convoy.errors import ConfigError, DataError
from convoy.io import atomic_path
from convoy.serving.outputs import Output

ENDINGS = (".csv", ".parquet", ".json")
Write = Callable[[Sequence["Row"]], None]


@dataclass(frozen=True)
class Row:
    """What is known of one picture: an answer, or why there is none.

    Attributes:
        head: what the model says of it, as its objective's `head` names it (label and probability); empty
            where there is an error.
        numbers: all that the model gives, in its order (probabilities); empty where there is an error.
    """

    path: str
    head: Sequence[Any]
    model_version: str
    error: str | None
    numbers: Sequence[float]

    def cells(self, output: Output) -> list[Any]:
        """The values of `_names`, None where there is an error."""
        head = self.head or [None] * len(output.head)
        return [self.path, *head, self.model_version, self.error]

    def plain(self, output: Output) -> dict[str, Any]:
        """As JSON shows it."""
        return {
            **dict(zip(_names(output), self.cells(output), strict=True)),
            output.key: dict(zip(output.names, self.numbers, strict=True)) if len(self.numbers) else None,
        }


def _names(output: Output) -> list[str]:
    return ["path", *(name for name, _ in output.head), "model_version", "error"]


def read_paths(table: Path, column: str) -> list[Path]:
    """The pictures that a CSV file lists; relative ones lie beside it.

    Raises:
        DataError: it is no CSV file in UTF-8, has no such column, or a row without a path.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle)
            if column not in (rows.fieldnames or ()):
                known = ", ".join(rows.fieldnames or ()) or "none"
                raise DataError(
                    f"the table has no column {column!r}",
                    where=str(table),
                    fix=f"--column takes one of: {known}",
                )
            values = [row[column] for row in rows]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not a CSV file in UTF-8: {error}", where=str(table)) from None
    empty = [number for number, value in enumerate(values, 2) if not value]
    if empty:
        raise DataError(f"{len(empty)} rows name no picture", where=f"{table}, line {empty[0]}")
    return [table.parent / value for value in values]


def read_texts(paths: Sequence[Path], column: str) -> tuple[list[str], list[str]]:
    """Names ("file:line") and texts: of text files every line that is not blank, of CSV files a column.

    Raises:
        DataError: a path is no file, is not UTF-8, or a CSV file has no such column.
    """
    names: list[str] = []
    texts: list[str] = []
    for path in paths:
        try:
            content = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(
                f"byte {error.start} is not UTF-8", where=str(path), fix="save it as UTF-8"
            ) from None
        except OSError as error:
            raise DataError(f"cannot read it: {error.strerror}", where=str(path)) from None
        if path.suffix.lower() == ".csv":
            rows = csv.DictReader(content.splitlines(keepends=True))
            if column not in (rows.fieldnames or ()):
                known = ", ".join(rows.fieldnames or ()) or "none"
                raise DataError(
                    f"the table has no column {column!r}",
                    where=str(path),
                    fix=f"--column takes one of: {known}",
                )
            found = [(rows.line_num, row[column] or "") for row in rows]
        else:
            found = [(n, line) for n, line in enumerate(content.split("\n"), 1) if line.strip()]
        names += [f"{path}:{line}" for line, _ in found]
        texts += [text for _, text in found]
    return names, texts


def read_rows(paths: Sequence[Path], given: Any) -> tuple[list[str], list[bytes]]:
    """Names ("file:line", of Parquet and JSON "file:row") and rows of tables as JSON.

    Args:
        given: the model's input; it says which columns there must be.

    Raises:
        DataError: a path is no table, cannot be read, or lacks a column.
    """
    names: list[str] = []
    rows: list[bytes] = []
    for path in paths:
        table, numbers = _table(path)
        try:
            found = given.frame(table)
        except ValueError as error:
            there = ", ".join(map(str, table.columns)) or "none"
            raise DataError(str(error), where=str(path), fix=f"the file has the columns {there}") from None
        names += [f"{path}:{number}" for number in numbers]
        rows += found
    return names, rows


def _table(path: Path) -> tuple[Any, Sequence[int]]:
    """A pandas table, of CSV all as text, and the number of each row."""
    import pandas as pd

    kind = path.suffix.lower()
    try:
        if kind in (".csv", ".tsv", ".txt"):
            mark = "\t" if kind == ".tsv" else None
            with path.open(encoding="utf-8-sig", newline="") as handle:
                first = handle.readline()
                handle.seek(0)
                mark = mark or next((each for each in (",", ";", "\t") if each in first), ",")
                reader = csv.DictReader(handle, delimiter=mark, strict=True, skipinitialspace=True)
                header = [name.strip() for name in reader.fieldnames or ()]
                found = [(reader.line_num, row) for row in reader]
            wrong = [line for line, row in found if None in row or None in row.values()]
            if wrong:
                raise DataError(f"line {wrong[0]} has more or fewer values than the header", where=str(path))
            table = pd.DataFrame([list(row.values()) for _, row in found], columns=header, dtype=object)
            return table, [line for line, _ in found]
        if kind == ".parquet":
            table = pd.read_parquet(path)
        elif kind == ".json":
            content = json.loads(path.read_text(encoding="utf-8-sig"))
            table = pd.DataFrame(content if isinstance(content, list) else [content], dtype=object)
        else:
            raise DataError("rows come from .csv, .tsv, .txt, .parquet or .json", where=str(path))
    except OSError as error:
        raise DataError(f"cannot read it: {error.strerror or error}", where=str(path)) from None
    except (ValueError, csv.Error, AttributeError) as error:
        raise DataError(f"not a table: {error}", where=str(path), fix="write it again, in UTF-8") from None
    return table, range(len(table))


def check_ending(path: Path) -> None:
    """Raises:
    ConfigError: answers cannot be written in the format that the name calls for.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ConfigError(f"no table can be written as {path.name!r}", fix=f"end it in {', '.join(ENDINGS)}")


@contextmanager
def written(path: Path, output: Output) -> Iterator[Write]:
    """Yield a function that takes the next rows; the file appears, whole, when the block ends well."""
    check_ending(path)
    kind = path.suffix.lower()
    with atomic_path(path) as temporary:
        if kind == ".parquet":
            with _parquet(temporary, output) as write:
                yield write
        else:
            with temporary.open("w", encoding="utf-8", newline="") as handle:
                yield from _csv(handle, output) if kind == ".csv" else as_json(handle, output)


def as_json(handle: IO[str], output: Output) -> Iterator[Write]:
    """A JSON list, an object a line."""
    separator = "[\n"

    def write(rows: Sequence[Row]) -> None:
        nonlocal separator
        for row in rows:
            handle.write(separator + json.dumps(row.plain(output), ensure_ascii=False, allow_nan=False))
            separator = ",\n"

    yield write
    handle.write("[]\n" if separator == "[\n" else "\n]\n")


def _csv(handle: IO[str], output: Output) -> Iterator[Write]:
    writer = csv.writer(handle, lineterminator="\n")
    writer.writerow([*_names(output), *output.columns])

    def write(rows: Sequence[Row]) -> None:
        for row in rows:
            numbers = [f"{value:.8f}" for value in row.numbers] or [""] * len(output.columns)
            cells = [f"{cell:.8f}" if isinstance(cell, float) else cell for cell in row.cells(output)]
            writer.writerow([*cells, *numbers])

    yield write


@contextmanager
def _parquet(path: Path, output: Output) -> Iterator[Write]:
    import pyarrow as pa
    from pyarrow import parquet

    numeric = {name for name, kind in output.head if kind == "double"}
    kinds = [(name, pa.float64() if name in numeric else pa.string()) for name in _names(output)]
    schema = pa.schema([*kinds, *((name, pa.float64()) for name in output.columns)])

    def write(rows: Sequence[Row]) -> None:
        table = [row.cells(output) for row in rows]
        columns: list[list[Any]] = [[cells[number] for cells in table] for number in range(len(kinds))]
        for number in range(len(output.columns)):
            columns.append([row.numbers[number] if len(row.numbers) else None for row in rows])
        arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

    with parquet.ParquetWriter(path, schema) as writer:
        yield write
