import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from convoy.data.files import open_place
from convoy.data.sources import _tables
from convoy.errors import ConfigError, DataError


def read(folder: Path, name: str, content: str | bytes, needed: Sequence[str] = ("a", "b")) -> _tables.Table:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return _tables.read(open_place(folder, ""), name, needed)


@pytest.mark.parametrize(
    ("name", "mark"), [("t.csv", ","), ("t.csv", ";"), ("t.csv", "\t"), ("t.tsv", "\t"), ("t.txt", ",")]
)
def test_the_separator_is_found(tmp_path: Path, name: str, mark: str) -> None:
    table = read(tmp_path, name, f"a{mark}b{mark}c\n1{mark}2{mark}3\n")
    assert table.columns == {"a": ["1"], "b": ["2"]}


def test_a_comma_wins_over_other_marks_in_names(tmp_path: Path) -> None:
    assert read(tmp_path, "t.csv", "a,b,c;d;e;f\n1,2,3\n").columns == {"a": ["1"], "b": ["2"]}


def test_lines_are_those_of_the_file_with_quotes_blank_lines_and_line_ends_in_values(tmp_path: Path) -> None:
    text = '\r\na,b\r\n1,"x\r\ny"\r\n\r\n2,"say ""hi"", you"\r\n,\r\n3,z'
    table = read(tmp_path, "t.csv", text)
    assert table.columns == {"a": ["1", "2", "3"], "b": ["x\r\ny", 'say "hi", you', "z"]}
    assert list(table.lines) == [3, 6, 8]


def test_lines_are_those_of_the_file_without_any_of_these(tmp_path: Path) -> None:
    assert list(read(tmp_path, "t.csv", "a,b\n1,x\n2,y\n").lines) == [2, 3]


def test_values_stay_what_the_file_says(tmp_path: Path) -> None:
    table = read(tmp_path, "t.csv", "a,b\n3.0,007\nNA,null\ntrue,1e5\n")
    assert table.columns == {"a": ["3.0", "NA", "true"], "b": ["007", "null", "1e5"]}


@pytest.mark.parametrize("row", ["1", "1,2,3", '"1,2'])
def test_a_row_of_another_length_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    with pytest.raises(DataError, match="line 3") as error:
        read(tmp_path, "t.csv", f"a,b\n1,2\n{row}\n")
    assert error.value.where == "t.csv:3"


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_missing_column_is_refused_with_those_there_are_and_the_nearest(tmp_path: Path, name: str) -> None:
    frame = pd.DataFrame({"path": ["x"], "label": ["y"]})
    {
        "t.csv": lambda to: frame.to_csv(to, index=False),
        "t.jsonl": lambda to: frame.to_json(to, orient="records", lines=True),
        "t.parquet": lambda to: frame.to_parquet(to),
    }[name](tmp_path / name)
    with pytest.raises(DataError, match=r"no column 'labels'; it has 'path', 'label'") as error:
        _tables.read(open_place(tmp_path, ""), name, ["path", "labels"])
    assert "did you mean 'label'" in error.value.fix


def test_two_columns_of_one_name_are_refused_if_needed(tmp_path: Path) -> None:
    assert read(tmp_path, "t.csv", "a,b,c,c\n1,2,3,4\n").columns["a"] == ["1"]
    with pytest.raises(DataError, match="two columns are called 'a'"):
        read(tmp_path, "t.csv", "a,b,a\n1,2,3\n")


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match="empty"):
        read(tmp_path, "t.csv", content)


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "t.csv", "a,b\n").columns == {"a": [], "b": []}


def test_parquet_numbers_truths_and_times_become_text(tmp_path: Path) -> None:
    table = pa.table(
        {
            "a": pa.array([3.0, None, float("nan")]),
            "b": pa.array([True, False, None]),
            "c": pa.array(["x", "y", "x"]).dictionary_encode(),
            "d": pa.array([0, 1_000_000, None], pa.timestamp("us", "UTC")),
            "e": pa.array([7, 8, 2**40]),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    found = _tables.read(open_place(tmp_path, ""), "t.parquet", list("abcde"))
    assert found.columns == {
        "a": ["3.0", None, "nan"],
        "b": ["true", "false", None],
        "c": ["x", "y", "x"],
        "d": ["1970-01-01T00:00:00+00:00", "1970-01-01T00:00:01+00:00", None],
        "e": ["7", "8", "1099511627776"],
    }
    assert list(found.lines) == [1, 2, 3]


def test_a_parquet_column_of_bytes_or_structs_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [b"x"], "b": [{"bytes": b"x"}]}), tmp_path / "t.parquet")
    for name in "ab":
        with pytest.raises(DataError, match=f"column '{name}' holds"):
            _tables.read(open_place(tmp_path, ""), "t.parquet", [name])


@pytest.mark.parametrize("keep", [0, 10, 300])
def test_a_truncated_parquet_is_refused(tmp_path: Path, keep: int) -> None:
    pq.write_table(pa.table({"a": ["x"] * 100, "b": ["y"] * 100}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="damaged"):
        read(tmp_path, "t.parquet", (tmp_path / "t.parquet").read_bytes()[:keep])


def test_json_lines_keep_numbers_as_written(tmp_path: Path) -> None:
    rows = ['{"a": 3.0, "b": true}', "", '{"b": null, "a": "猫\u2028"}', '{"a": NaN}']
    table = read(tmp_path, "t.jsonl", "\r\n".join(rows))
    assert table.columns == {"a": ["3.0", "猫\u2028", "NaN"], "b": ["true", None, None]}
    assert list(table.lines) == [1, 3, 4]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": 1', "line 2, column"),
        ("[1]", "line 2 is no JSON object"),
        ('{"a": [1], "b": 1}', "line 2: 'a' is a list"),
        ('{"a": {"x": 1}, "b": 1}', "line 2: 'a' is an object"),
        ('{"a": "\\ud800", "b": 1}', "line 2 holds half of a surrogate pair"),
        ("[" * 100_000, "line 2"),
    ],
)
def test_bad_json_lines_are_refused_with_their_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        read(tmp_path, "t.jsonl", json.dumps({"a": 1, "b": 2}) + "\n" + line + "\n")
    assert error.value.where == "t.jsonl:2"


def test_an_unknown_kind_of_table_is_a_config_error_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"t\.xlsx") as error:
        read(tmp_path, "t.xlsx", b"PK")
    assert ".parquet" in error.value.fix


def test_the_header_of_each_kind_is_told(tmp_path: Path) -> None:
    frame = pd.DataFrame({"path": ["x"], "label": ["y"]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for name in ("t.csv", "t.parquet", "t.jsonl"):
        assert _tables.header(open_place(tmp_path, ""), name) == ["path", "label"]
