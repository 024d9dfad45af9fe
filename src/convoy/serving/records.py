"""Bodies of `/invocations` whose samples are rows: a value for each of several columns."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from convoy.serving.limits import Refused

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def from_json(document: Mapping[str, Any]) -> list[Any]:
    """The rows of a body: objects by column, as far as they are such.

    Raises:
        Refused: 422, it is none of the forms.
    """
    given = [name for name in FORMATS if name in document]
    others = document.keys() - {*FORMATS, "params"}
    if len(given) != 1 or others or document.get("params"):
        raise Refused(422, f"the body must hold exactly one of {', '.join(FORMATS)}, and no parameters")
    value = document[given[0]]
    if given[0] == "dataframe_split":
        return _split(value)
    if given[0] == "inputs" and isinstance(value, dict):
        return _columns(value)
    if not isinstance(value, list):
        raise Refused(422, f"{given[0]} is not a list of objects")
    return value


def from_csv(body: bytes, most: int) -> list[Any]:
    """The rows below a line of column names.

    Raises:
        Refused: 400 it is no CSV, 422 a row has more or fewer values than the header, or too many rows.
    """
    try:
        rows = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip() for name in next(rows, [])]
        found: list[Any] = []
        for row in rows:
            if len(found) > most:
                raise Refused(422, f"more than {most} rows in one request")
            if not row:
                continue
            if len(row) != len(header):
                raise Refused(422, f"line {rows.line_num} has {len(row)} values, the header {len(header)}")
            found.append(dict(zip(header, row, strict=True)))
    except (csv.Error, UnicodeDecodeError) as error:
        raise Refused(400, f"the body is not CSV: {error}") from None
    return found


def _split(value: Any) -> list[Any]:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise Refused(422, "dataframe_split must hold columns and data")
    columns = value.get("columns")
    if not isinstance(columns, list) or not all(isinstance(each, str) for each in columns):
        raise Refused(422, "dataframe_split: columns is not a list of names")
    for number, row in enumerate(value["data"]):
        if not isinstance(row, list) or len(row) != len(columns):
            raise Refused(422, f"dataframe_split: row {number} is not a list of {len(columns)} values")
    return [dict(zip(columns, row, strict=True)) for row in value["data"]]


def _columns(value: Mapping[str, Any]) -> list[Any]:
    """`inputs` by column: {"age": [39, 50], …}, or one row."""
    lists: dict[str, Sequence[Any]] = {n: v if isinstance(v, list) else [v] for n, v in value.items()}
    lengths = {len(values) for values in lists.values()}
    if len(lengths) != 1:
        raise Refused(422, f"inputs: the columns differ in length: {json.dumps(sorted(lengths))}")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
