"""What rows of a table say is to be learned, and what is wrong with them, by line and column."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from convoy.config.data import DataConfig
from convoy.data import opening

POINTS = {"columns": ["x{}", "y{}"], "names": 2}


def _scan(folder: Path, text: str, **options: Any) -> Any:
    done, content = cv2.imencode(".png", np.zeros((8, 8), np.uint8))
    assert done
    (folder / "table.csv").write_text(text, encoding="utf-8")
    for number in range(text.count("\n")):
        (folder / f"{number}.png").write_bytes(content.tobytes())
    return opening.scan(
        DataConfig(source="table", path=str(folder), table="table.csv", image_col="path", **options)
    )


def test_numbers_are_read_and_a_comma_is_none(tmp_path: Path) -> None:
    text = 'path,a,b\n0.png,1,-2.5e1\n1.png,"3,5",1\n2.png,,1\n3.png,nan,1\n'
    scan = _scan(tmp_path, text, value_cols=["a", "b"])
    assert (scan.task, scan.points) == ("values", ["a", "b"])
    assert scan.samples["values"].tolist() == [[1.0, -25.0], None, None, None]
    said = scan.samples["problem"].tolist()
    assert said[0] is None
    assert "table.csv:3: column 'a' holds '3,5', which is no finite number" in said[1]
    assert "column 'a' is empty" in said[2]
    assert "'nan'" in said[3]


def test_points_whose_cells_are_empty_are_not_known(tmp_path: Path) -> None:
    text = "path,x0,y0,x1,y1\n0.png,1,2,,\n1.png,1,2,3,\n2.png,,,,\n"
    scan = _scan(tmp_path, text, points=POINTS)
    assert scan.samples["keypoints"].tolist() == [[1.0, 2.0, 2.0, 0.0, 0.0, 0.0], None, None]
    assert "point '1' has one of its two numbers" in scan.samples["problem"][1]
    assert "none of its points is known" in scan.samples["problem"][2]


def test_points_that_are_counted_from_one_become_pixels_from_nought(tmp_path: Path) -> None:
    text = "path,x0,y0,x1,y1\n0.png,1,2,,\n"
    scan = _scan(tmp_path, text, points={**POINTS, "first_pixel": 1.0})
    assert scan.samples["keypoints"].tolist() == [[0.0, 1.0, 2.0, 0.0, 0.0, 0.0]]


def test_labels_of_a_cell_are_put_into_the_order_of_the_classes(tmp_path: Path) -> None:
    text = "path,l\n0.png,b; a\n1.png,a;a\n2.png,\n"
    scan = _scan(tmp_path, text, target="l", label_separator=";")
    assert (scan.task, scan.classes, scan.separator) == ("labels", ["a", "b"], ";")
    assert scan.samples["target"].tolist() == ["a;b", "a", None]
    assert "it has no label" in scan.samples["problem"][2]


def test_a_row_without_labels_can_be_one_that_has_none(tmp_path: Path) -> None:
    scan = _scan(tmp_path, "path,l\n0.png,a\n1.png,\n", target="l", label_separator=";", unlabelled="none")
    assert scan.samples["target"].tolist() == ["a", ""]
    assert "problem" not in scan.samples


def test_columns_of_nought_and_one_are_labels(tmp_path: Path) -> None:
    scan = _scan(tmp_path, "path,cat,dog\n0.png,1,0\n1.png,1,1\n2.png,2,0\n", label_cols=["cat", "dog"])
    assert scan.classes == ["cat", "dog"]
    assert scan.samples["target"].tolist() == ["cat", "cat|dog", None]
    assert "column 'cat' holds '2', neither 0 nor 1" in scan.samples["problem"][2]


def test_labels_that_are_not_among_the_classes_are_problems(tmp_path: Path) -> None:
    scan = _scan(
        tmp_path, "path,l\n0.png,a;x\n1.png,b\n", target="l", label_separator=";", classes=["b", "a"]
    )
    assert scan.classes == ["b", "a"]
    assert "'x' is none of data.classes" in scan.samples["problem"][0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "l", "value_cols": ["a"]}, "target and value_cols both name what is to be learned"),
        ({"label_separator": ";"}, "needs target"),
        ({"target": "l", "unlabelled": "none"}, "unlabelled belongs to"),
        ({"points": {"columns": ["x", "y"], "names": 2}}, "must hold {} once"),
        ({"points": {**POINTS, "swap": [[0, 2]]}}, "names lacks 2"),
        ({"points": {**POINTS, "swap": [[0, 0]]}}, "each point once"),
        ({"points": {"columns": ["x{}", "y{}"]}}, "points.columns and points.names go together"),
        ({"points": {"first_pixel": 1.0}}, "points.first_pixel is for points.columns"),
        ({"points": {**POINTS, "first_pixel": 1.5}}, "less than or equal to 1"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        DataConfig(source="table", path="x", table="t.csv", image_col="path", **options)
    assert message in str(refused.value)
