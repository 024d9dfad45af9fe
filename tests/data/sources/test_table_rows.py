"""Tables whose rows are samples."""

import json
from pathlib import Path

import pandas as pd
import pytest

from convoy.config.data import DataConfig
from convoy.config.tables import TableLayout
from convoy.data.manifest import content_id
from convoy.data.sources import table_rows
from convoy.errors import DataError
from tests.data.sources import toys_table_rows as toys

PLAIN = DataConfig(modality="table", source="table_rows", path="data", table="t.csv", target="y")


def plain(root: Path, content: str, data: DataConfig = PLAIN) -> pd.DataFrame:
    (root / "t.csv").write_text(content, encoding="utf-8")
    return table_rows.scan(root, data).samples


def test_labels_splits_lines_and_values_are_as_they_are_meant(tmp_path: Path) -> None:
    toys.write(tmp_path)
    scan = table_rows.scan(tmp_path, toys.DATA)
    assert scan.samples["target"].tolist() == ["<=50K", ">50K", ">50K", "<=50K"]
    assert scan.samples["split"].tolist() == ["train"] * 3 + ["test"]
    assert scan.samples["path"].tolist()[-1] == "people.test#2"
    assert scan.samples["origin"].tolist()[-1] == "people.test:2 (d)"
    read = table_rows.reader(tmp_path, toys.DATA)
    contents = [read(path) for path in scan.samples["path"]]
    assert json.loads(contents[1]) == {"age": None, "work": "Own, small"}  # type: ignore[arg-type]


def test_equal_rows_have_ids_of_their_own_that_depend_on_contents_alone(tmp_path: Path) -> None:
    toys.write(tmp_path)
    samples = table_rows.scan(tmp_path, toys.DATA).samples
    read = table_rows.reader(tmp_path, toys.DATA)
    ids = [content_id(read(path)) for path in samples["path"]]
    assert len(set(ids)) == 4
    assert json.loads(read("people.data#1")) == json.loads(read("people.data#3"))  # type: ignore[arg-type]
    rows = (tmp_path / "people.data").read_text().splitlines()
    (tmp_path / "people.data").write_text("\n".join(reversed(rows)) + "\n")
    again = table_rows.reader(tmp_path, toys.DATA)
    assert {content_id(again(path)) for path in samples["path"]} == set(ids)


def test_columns_of_parquet_and_json_lines_say_what_those_of_csv_say(tmp_path: Path) -> None:
    table = pd.DataFrame({"age": [3.5, None], "n": [1, 2], "ok": [True, False], "y": ["a", "b"]})
    table.to_parquet(tmp_path / "t.parquet")
    table.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    (tmp_path / "t.csv").write_text("age,n,ok,y\n3.5,1,true,a\n,2,false,b\n")
    found = []
    for name in ("t.csv", "t.parquet", "t.jsonl"):
        data = PLAIN.model_copy(update={"table": name})
        read = table_rows.reader(tmp_path, data)
        found.append([read(path) for path in table_rows.scan(tmp_path, data).samples["path"]])
    assert found[0] == found[1] == found[2]


def test_a_label_that_is_missing_is_a_problem_of_its_row(tmp_path: Path) -> None:
    samples = plain(tmp_path, "x,y\n1,a\n2,\n3,NA\n4,b\n")
    assert samples["problem"].tolist() == [
        None, "t.csv:3: the label is missing", "t.csv:4: the label is missing", None
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x,y\n1,a\n1,2,a\n", "line 3 has 3 values, the header 2"),
        ("x,z\n1,a\n", "no column 'y'"),
        ("x,x,y\n1,1,a\n", "two columns are called 'x'"),
        ('x,y\n"1,a\n', "cannot be read"),
        ("x,y\n", "has no rows"),
        ("", "the table is empty"),
        ("y\na\n", "no column is left"),
    ],
)
def test_a_table_that_is_none_says_where_and_what_to_do(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        plain(tmp_path, content)
    assert error.value.where
    assert error.value.fix


def test_a_renamed_column_in_the_test_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("age,work,y\n1,s,a\n")
    (tmp_path / "b.csv").write_text("Age,work,y\n1,s,a\n")
    data = PLAIN.model_copy(update={"table": None, "tables": {"train": "a.csv", "test": "b.csv"}})
    with pytest.raises(DataError, match=r"the table lacks 'age' and has 'Age' besides, unlike a\.csv"):
        table_rows.scan(tmp_path, data)


def test_a_column_that_the_parameters_name_must_be_there(tmp_path: Path) -> None:
    data = PLAIN.model_copy(update={"columns": {"weigth": "ignore"}})
    with pytest.raises(DataError, match="no column 'weigth'") as error:
        plain(tmp_path, "x,weight,y\n1,2,a\n", data)
    assert "did you mean 'weight'" in str(error.value.fix)


def test_lines_before_the_header_can_be_skipped_and_keep_the_lines_numbers(tmp_path: Path) -> None:
    data = PLAIN.model_copy(update={"layout": TableLayout(skip_lines=2)})
    samples = plain(tmp_path, "made by hand\n\nx;y\n1;a\n2;b\n", data)
    assert samples["path"].tolist() == ["t.csv#4", "t.csv#5"]
