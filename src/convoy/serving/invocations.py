"""The bodies that MLflow's clients send to `/invocations`: samples in a column, pictures in base64.

JSON with exactly one of dataframe_split, dataframe_records, instances, inputs; or CSV with a header line.
Samples that are rows of a table have several columns: `convoy.serving.records`.
"""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from convoy.serving import records
from convoy.serving.inputs import Input
from convoy.serving.limits import Refused

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_CSV_FIELD = 1 << 30  # the size of the whole body is bounded before


def read(content_type: str, body: bytes, most: int, given: Input) -> list[bytes]:
    """The samples of a request, in order.

    Args:
        given: of the model that is asked: its column, and how samples stand in it.

    Raises:
        Refused: 415 neither JSON nor CSV, 400 not well-formed, 422 not one column of pictures, or too many.
    """
    kind = content_type.partition(";")[0].strip().lower()
    rows = hasattr(given, "columns")  # a sample is a row of several columns
    column: Sequence[Any]
    if kind == "application/json":
        document = _parse(body)
        column = records.from_json(document) if rows else _from_json(document, given.column)
    elif kind == "text/csv":
        column = records.from_csv(body, most) if rows else _from_csv(body, most, given.column)
    else:
        raise Refused(415, "send application/json or text/csv")
    if not column:
        raise Refused(422, "the request holds no pictures")
    if len(column) > most:
        raise Refused(422, f"{len(column)} pictures in one request; at most {most} are answered")
    return [_decoded(value, row, given) for row, value in enumerate(column)]


def _parse(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Refused(422, f"the body is not an object with one of {', '.join(FORMATS)}")
    return document


def _from_json(document: dict[str, Any], name: str) -> Sequence[Any]:
    given = [name for name in FORMATS if name in document]
    others = document.keys() - {*FORMATS, "params"}
    if len(given) != 1 or others or document.get("params"):
        raise Refused(422, f"the body must hold exactly one of {', '.join(FORMATS)}, and no parameters")
    value = document[given[0]]
    if given[0] == "dataframe_split":
        return _split(value, name)
    if given[0] == "inputs" and isinstance(value, dict):
        _check_columns(value, name)
        column = value[name]
        return column if isinstance(column, list) else [column]
    if not isinstance(value, list):
        raise Refused(422, f"{given[0]} is not a list")
    return [_cell(row, given[0], name) for row in value]


def _split(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise Refused(422, "dataframe_split must hold columns and data")
    columns = value.get("columns", [name])
    if not isinstance(columns, list) or not all(isinstance(each, str) for each in columns):
        raise Refused(422, "dataframe_split: columns is not a list of names")
    _check_columns(columns, name)
    if not all(isinstance(row, list) and len(row) == 1 for row in value["data"]):
        raise Refused(422, "dataframe_split: each row of data must be a list of one value")
    return [row[0] for row in value["data"]]


def _cell(row: Any, form: str, name: str) -> Any:
    """A record, or in `inputs` and `instances` also a bare value."""
    if isinstance(row, dict):
        _check_columns(row, name)
        return row[name]
    if form == "dataframe_records":
        raise Refused(422, "dataframe_records: a row is not an object")
    return row[0] if isinstance(row, list) and len(row) == 1 else row


def _from_csv(body: bytes, most: int, name: str) -> Sequence[Any]:
    csv.field_size_limit(_CSV_FIELD)
    try:
        rows = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        _check_columns(next(rows, []), name)
        column: list[str] = []
        for row in rows:
            if len(row) > 1:
                raise Refused(422, "a row of the CSV has more than one value")
            if len(column) > most:
                raise Refused(422, f"more than {most} pictures in one request")
            column += row
    except (csv.Error, UnicodeDecodeError) as error:
        raise Refused(400, f"the body is not CSV: {error}") from None
    return column


def _check_columns(columns: Any, name: str) -> None:
    found = list(columns)
    if found != [name]:
        shown = ", ".join(repr(str(each)[:40]) for each in found[:5]) + (" …" if len(found) > 5 else "")
        raise Refused(422, f"{len(found)} columns ({shown}); the one column is {name!r}")


def _decoded(value: Any, row: int, given: Input) -> bytes:
    try:
        return given.received(value)
    except ValueError as error:
        problem = {"index": row, "file": None, "reason": str(error)}
        raise Refused(422, f"row {row} is {error}", [problem]) from None
