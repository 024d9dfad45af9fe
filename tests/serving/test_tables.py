"""Lists in, answers out: CSV, Parquet and JSON hold the same."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from convoy.errors import ConfigError, DataError
from convoy.serving import outputs, tables
from convoy.serving.tables import Row

OUTPUT = outputs.of({"classes": ["down", "上"]})
ROWS = [
    Row('a, "b".png', ["上", 0.75], "toy/1", None, (0.25, 0.75)),
    Row("broken.png", (), "toy/1", "not a picture", ()),
]


def write(path: Path, *batches: list[Row]) -> Path:
    with tables.written(path, OUTPUT) as take:
        for rows in batches:
            take(rows)
    return path


def test_csv_holds_a_row_a_picture_and_a_column_a_class(tmp_path: Path) -> None:
    path = write(tmp_path / "out.csv", ROWS[:1], ROWS[1:])
    found = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert found[0] == {
        "path": 'a, "b".png', "label": "上", "probability": "0.75000000", "model_version": "toy/1",
        "error": "", "p:down": "0.25000000", "p:上": "0.75000000",
    }  # fmt: skip
    assert found[1]["error"] == "not a picture"
    assert found[1]["p:down"] == found[1]["label"] == ""


def test_parquet_holds_the_same(tmp_path: Path) -> None:
    found = pd.read_parquet(write(tmp_path / "out.parquet", ROWS[:1], ROWS[1:]))
    assert list(found) == ["path", "label", "probability", "model_version", "error", "p:down", "p:上"]
    assert found["p:上"][0] == 0.75
    assert found.loc[1, ["label", "probability", "p:down"]].isna().all()
    assert found["error"].tolist()[1] == "not a picture"


def test_json_holds_the_same(tmp_path: Path) -> None:
    found = json.loads(write(tmp_path / "out.json", ROWS[:1], ROWS[1:]).read_text(encoding="utf-8"))
    assert found == [row.plain(OUTPUT) for row in ROWS]
    assert found[0]["probabilities"] == {"down": 0.25, "上": 0.75}
    assert found[1]["probabilities"] is None


def test_no_rows_make_a_well_formed_file(tmp_path: Path) -> None:
    assert json.loads(write(tmp_path / "out.json").read_text()) == []
    assert len(pd.read_parquet(write(tmp_path / "out.parquet"))) == 0
    assert len(write(tmp_path / "out.csv").read_text().splitlines()) == 1


def test_a_file_that_was_not_finished_does_not_appear(tmp_path: Path) -> None:
    for ending in tables.ENDINGS:
        with pytest.raises(RuntimeError), tables.written(tmp_path / f"out{ending}", OUTPUT) as take:
            take(ROWS)
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_other_endings_are_refused(tmp_path: Path) -> None:
    for name in ("out.xlsx", "out"):
        with pytest.raises(ConfigError, match=name):
            tables.check_ending(tmp_path / name)


def test_a_list_names_pictures_beside_itself(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_bytes("\ufeffname,file\r\n猫,a/猫.png\r\nx,/elsewhere/b.png\r\n".encode())
    assert tables.read_paths(table, "file") == [tmp_path / "a/猫.png", Path("/elsewhere/b.png")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"file\na.png\n", "no column 'path'"),
        (b"", "no column 'path'"),
        (b"path\n\xff\xfe\n", "UTF-8"),
        (b"path,x\na.png,1\n,2\n", "1 rows name no picture"),
    ],
)
def test_lists_that_are_none_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    table = tmp_path / "list.csv"
    table.write_bytes(content)
    with pytest.raises(DataError, match=message):
        tables.read_paths(table, "path")


def test_points_and_labels_have_columns_of_their_own(tmp_path: Path) -> None:
    labels = outputs.of(
        {
            "classes": ["cat", "dog"],
            "preprocessing": {"separator": ";"},
            "thresholds": {"cat": 0.5, "dog": 0.2},
            "params": {"objective": {"name": "multilabel"}},
        }
    )
    row = Row("a.png", labels.cells(np.array([0.6, 0.3])), "toy/1", None, (0.6, 0.3))
    with tables.written(tmp_path / "labels.csv", labels) as take:
        take([row])
    assert (tmp_path / "labels.csv").read_text(encoding="utf-8").splitlines() == [
        "path,labels,model_version,error,p:cat,p:dog",
        "a.png,cat;dog,toy/1,,0.60000000,0.30000000",
    ]
    points = outputs.of(
        {
            "classes": ["eye.x", "eye.y"],
            "preprocessing": {
                "points": ["eye"], "target": {"mean": [4.0, 4.0], "std": [2.0, 2.0]},
                "spec": {"width": 10, "height": 20},
            },
            "params": {"objective": {"name": "regression"}},
        }
    )  # fmt: skip
    found = points.decode(np.array([[0.25, -1.0]], np.float32))[0]
    assert found.tolist() == [4.5, 2.0]
    assert points.answer(found)["points"] == {"eye": [0.5, 0.125]}
    with tables.written(tmp_path / "points.parquet", points) as take:
        take([Row("a.png", points.cells(found), "toy/1", None, found.tolist())])
    assert list(pd.read_parquet(tmp_path / "points.parquet")) == [
        "path", "model_version", "error", "y:eye.x", "y:eye.y",
    ]  # fmt: skip
