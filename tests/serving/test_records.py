"""Rows that come as JSON or CSV to /invocations, and out of files to `convoy predict`."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from convoy.config.tables import TablePrepareConfig
from convoy.data.modalities.table.preparing import stand_in
from convoy.errors import DataError
from convoy.serving import inputs, invocations, tables
from convoy.serving.limits import Refused

ROWS = [{"number": 1.5, "other": None, "category": "a"}, {"number": 2, "other": "3", "category": "new"}]
GIVEN = inputs.of(stand_in(TablePrepareConfig(), ["a", "b"]))


def prepared(contents: list[bytes]) -> Any:
    return GIVEN.batch([GIVEN.prepare(content) for content in contents]).tolist()


EXPECTED = prepared([json.dumps(row).encode() for row in ROWS])
BODIES: dict[str, Any] = {
    "dataframe_records": ROWS,
    "dataframe_split": {"columns": list(ROWS[0]), "data": [list(row.values()) for row in ROWS]},
    "instances": ROWS,
    "inputs": {name: [row[name] for row in ROWS] for name in ROWS[0]},
}


@pytest.mark.parametrize("form", BODIES)
def test_every_form_of_a_body_gives_the_same_rows(form: str) -> None:
    body = json.dumps({form: BODIES[form]}).encode()
    assert prepared(invocations.read("application/json", body, 10, GIVEN)) == EXPECTED


def test_csv_gives_the_same_rows() -> None:
    body = b"category,number,other\na,1.5,\nnew,2,3\n"
    assert prepared(invocations.read("text/csv", body, 10, GIVEN)) == EXPECTED


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        (
            "application/json",
            {"dataframe_records": [{"Number": 1, "other": 1, "category": "a"}]},
            "is 'Number' it",
        ),
        (
            "application/json",
            {"dataframe_split": {"columns": ["number"], "data": [[1]]}},
            "'other', 'category' missing",
        ),
        (
            "application/json",
            {"dataframe_split": {"columns": ["number"], "data": [[1, 2]]}},
            "row 0 is not a list of 1",
        ),
        ("application/json", {"dataframe_records": [[1, 2]]}, "not an object with a value for each column"),
        ("application/json", {"dataframe_records": ROWS * 6}, "at most 10"),
        ("application/json", {"rows": ROWS}, "exactly one of"),
        ("application/json", {"inputs": {"number": [1, 2], "other": [1]}}, "differ in length"),
        ("text/csv", "number,other\n1,2,3\n", "line 2 has 3 values"),
        ("text/csv", "number,other\n1,2\n", "'category' missing"),
    ],
)
def test_a_body_that_is_not_rows_is_refused_with_the_reason(kind: str, body: Any, reason: str) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    with pytest.raises(Refused, match=reason):
        invocations.read(kind, content.encode(), 10, GIVEN)


def test_files_of_rows_give_the_same_rows_and_their_lines(tmp_path: Path) -> None:
    frame = pd.DataFrame({"category": ["a", "new"], "number": [1.5, 2.0], "other": [None, 3.0]})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_csv(tmp_path / "rows.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))
    for name in ("rows.csv", "rows.tsv", "rows.parquet", "rows.json"):
        names, rows = tables.read_rows([tmp_path / name], GIVEN)
        assert prepared(rows) == EXPECTED, name
        assert names[1] == f"{tmp_path / name}:{3 if name[5:] in ('csv', 'tsv') else 1}"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "number,category\n1,a\n", "column 'other' missing"),
        ("a.csv", "number,other,category\n1,2\n", "line 2 has more or fewer values"),
        ("a.csv", "", "missing"),
        ("a.csv", b"number,other,category\n1,2,\xff\n", "not a table"),
        ("a.json", "{", "not a table"),
        ("a.png", "x", "rows come from"),
        ("a.parquet", "x", "not a table"),
    ],
)
def test_a_file_that_holds_no_rows_is_refused_by_name(
    tmp_path: Path, name: str, content: Any, message: str
) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message) as error:
        tables.read_rows([tmp_path / name], GIVEN)
    assert name in str(error.value.where)


def test_a_bad_value_is_refused_with_its_column() -> None:
    with pytest.raises(GIVEN.BAD, match="column 'number': '1,5' has a comma"):
        GIVEN.prepare(json.dumps({**ROWS[0], "number": "1,5"}))
    assert GIVEN.kind(b"", GIVEN.BAD("", "empty")) == "empty"
