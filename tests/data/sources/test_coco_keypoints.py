import csv
import json
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convoy.config.data import DataConfig
from convoy.data import pixels
from convoy.data.sources import coco_keypoints
from convoy.data.sources._base import Scan
from convoy.errors import DataError
from tests.data.sources import toys_coco_keypoints as toys
from tests.data.sources.anything import mutated

DATA = DataConfig(source="coco_keypoints", path="toy", table="annotations/points.json")
Content = dict[str, Any]


def scanned(root: Path, content: Any, **options: Any) -> Scan:
    toys.write_content(root, content)
    return coco_keypoints.scan(root, DATA.model_copy(update=options))


def changed(change: Callable[[Content], object]) -> Content:
    content = toys.content()
    change(content)
    return content


def test_images_are_samples_in_the_order_of_the_file(tmp_path: Path) -> None:
    scan = scanned(tmp_path, toys.content())
    assert scan.samples["path"].tolist() == ["猫 1.png", "more/2.png"]
    assert scan.task == "keypoints"
    assert scan.points == toys.POINTS
    assert scan.samples["keypoints"].tolist() == [
        [16, 12, 2, 0, 0, 2, 5, 6, 2],
        [1, 2, 2, 3.5, 4, 1, 0, 0, 0],
    ]
    assert scan.samples["origin"].tolist() == [
        "annotations/points.json:image 7",
        "annotations/points.json:image 3",
    ]
    assert scan.ignored == ["more/3.png"]
    assert scan.notes == []
    assert "problem" not in scan.samples
    assert "group" not in scan.samples


def test_the_visibility_is_kept_and_points_without_one_have_no_place(tmp_path: Path) -> None:
    content = changed(lambda c: c["annotations"][0].update(keypoints=[9, 9, 0, 1, 1, 1, math.nan, -4, 0]))
    scan = scanned(tmp_path, content)
    assert scan.samples["keypoints"][1] == [0, 0, 0, 1, 1, 1, 0, 0, 0]


def test_groups_come_from_images_or_else_from_annotations(tmp_path: Path) -> None:
    assert scanned(tmp_path, toys.content(), group_col="person").samples["group"].tolist() == ["ann", "bob"]
    content = changed(lambda c: [each.update(video=each["id"]) for each in c["annotations"]])
    assert scanned(tmp_path, content, group_col="video").samples["group"].tolist() == ["2", "1"]
    with pytest.raises(DataError, match=r"field 'persn'; there are: .*person"):
        scanned(tmp_path, toys.content(), group_col="persn")


def test_times_are_made_uniform(tmp_path: Path) -> None:
    content = toys.content()
    content["images"][0]["date_captured"] = "2013-11-14 17:02:52"
    scan = scanned(tmp_path, content, time_col="date_captured")
    assert scan.samples["time"].tolist() == ["2013-11-14T17:02:52", None]
    assert "image 3: the time is missing" in scan.samples["problem"][1]


def test_crowds_do_not_count(tmp_path: Path) -> None:
    crowd = {"id": 9, "image_id": 3, "category_id": 1, "iscrowd": 1, "segmentation": {}}
    scan = scanned(tmp_path, changed(lambda c: c["annotations"].append(crowd)))
    assert "problem" not in scan.samples


def test_annotations_of_categories_without_points_do_not_count(tmp_path: Path) -> None:
    content = toys.content()
    content["categories"].append({"id": 2, "name": "car"})
    content["annotations"].append({"id": 9, "image_id": 3, "category_id": 2, "bbox": [1, 2, 3, 4]})
    assert "problem" not in scanned(tmp_path, content).samples


def test_only_categories_that_are_used_must_have_the_same_points(tmp_path: Path) -> None:
    content = toys.content()
    content["categories"].append({"id": 2, "name": "hand", "keypoints": ["thumb"]})
    assert scanned(tmp_path, content).points == toys.POINTS
    content["annotations"].append({"id": 9, "image_id": 3, "category_id": 2, "keypoints": [1, 1, 2]})
    with pytest.raises(DataError, match="categories face, hand have other points"):
        scanned(tmp_path, content)


def _second(content: Content, **change: Any) -> None:
    content["annotations"][0].update(change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["annotations"].pop(0), "it shows no instances"),
        (lambda c: c["annotations"].append({**c["annotations"][0], "id": 9}), "it shows 2 instances"),
        (lambda c: _second(c, keypoints=[1, 2, 2] * 2), "its keypoints are 6 numbers, not 9 for 3 points"),
        (lambda c: _second(c, keypoints=[1, 2, 2] * 3 + [1]), "its keypoints are 10 numbers, not 9"),
        (lambda c: c["annotations"][0].pop("keypoints"), "its keypoints are no list, not 9"),
        (lambda c: _second(c, keypoints=[1, 2, "2"] * 3), "a number among its keypoints is none"),
        (lambda c: _second(c, keypoints=[1, 2, None] * 3), "a number among its keypoints is none"),
        (lambda c: _second(c, keypoints=[1, 2, [2]] * 3), "a number among its keypoints is none"),
        (lambda c: _second(c, keypoints=[1, 10**400, 2] * 3), "a number among its keypoints is none"),
        (
            lambda c: _second(c, keypoints=[1, 2, 2, math.nan, 2, 2, 1, math.inf, 1]),
            "the point 'left eye' has a place that is not finite (2 of 3 points)",
        ),
        (
            lambda c: _second(c, keypoints=[16.5, 2, 2, 1, 2, 2, 1, 2, 1]),
            "the point 'nose' lies outside of the picture (1 of 3 points)",
        ),
        (lambda c: _second(c, keypoints=[1, 2, 2, -0.5, 2, 2, 1, 2, 1]), "'left eye' lies outside"),
        (lambda c: _second(c, keypoints=[1, 2, 2, 1, 12.5, 2, 1, 2, 1]), "'left eye' lies outside"),
        (lambda c: _second(c, keypoints=[1, 2, 3, 1, 1, 2, 1, 2, 1]), "no visibility of 0, 1 or 2"),
        (lambda c: _second(c, keypoints=[1, 2, math.nan, 1, 1, 2, 1, 2, 1]), "no visibility of 0, 1 or 2"),
        (lambda c: _second(c, keypoints=[0] * 9), "none of its points is labelled"),
        (lambda c: c["images"][1].update(file_name="more/9.png"), "there is no file 'more/9.png'"),
    ],
)
def test_what_is_wrong_with_one_image_is_its_problem(
    tmp_path: Path, change: Callable[[Content], object], message: str
) -> None:
    scan = scanned(tmp_path, changed(change))
    assert scan.samples["problem"][0] is None
    assert scan.samples["problem"][1].startswith("annotations/points.json:image 3: ")
    assert message in scan.samples["problem"][1]
    assert scan.samples["keypoints"][0] == [16, 12, 2, 0, 0, 2, 5, 6, 2]
    if "file" not in message:
        assert scan.samples["keypoints"][1] is None


def test_without_the_size_of_an_image_only_negative_places_are_outside(tmp_path: Path) -> None:
    content = changed(lambda c: c["images"][1].pop("width"))
    content["annotations"][0]["keypoints"][0] = 9999
    assert "problem" not in scanned(tmp_path, content).samples


def test_a_wrong_num_keypoints_is_noted(tmp_path: Path) -> None:
    (note,) = scanned(tmp_path, changed(lambda c: _second(c, num_keypoints=3))).notes
    assert note == "num_keypoints is not the number of labelled points in 1 annotations: 1"


def test_file_names_may_start_from_any_folder_if_one_file_fits(tmp_path: Path) -> None:
    content = changed(lambda c: c["images"][1].update(file_name="2.png"))
    assert scanned(tmp_path, content).samples["path"][1] == "more/2.png"
    (tmp_path / "other").mkdir()
    shutil.copy(tmp_path / "more" / "2.png", tmp_path / "other" / "2.png")
    said = scanned(tmp_path, content).samples["problem"][1]
    assert "the reference fits 2 files: more/2.png, other/2.png" in said
    content = changed(lambda c: c["images"][1].update(file_name="train/2.png"))
    assert "there is no file 'train/2.png'" in scanned(tmp_path, content).samples["problem"][1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("images"), "no list 'images' of objects"),
        (lambda c: c.update(annotations={}), "no list 'annotations' of objects"),
        (lambda c: c.update(categories=[3]), "no list 'categories' of objects"),
        (lambda c: c.update(images=[]), "lists no images"),
        (lambda c: c["images"][1].pop("id"), "entry 2 of 'images' has no id"),
        (lambda c: c["images"][1].update(id=[1]), "entry 2 of 'images' has no id"),
        (lambda c: c["images"][1].update(id=7), "1 ids of images stand there twice: 7"),
        (lambda c: c["annotations"][1].update(id=1), "1 ids of annotations stand there twice: 1"),
        (lambda c: c["images"][1].pop("file_name"), "1 images have no file_name: 3"),
        (lambda c: c["annotations"][1].update(image_id=8), "images that the file does not list: 2"),
        (lambda c: c["annotations"][1].update(image_id={}), "images that the file does not list: 2"),
        (lambda c: c["annotations"][1].update(category_id=8), "categories that the file does not list: 2"),
        (lambda c: c["categories"][0].pop("keypoints"), "no category has keypoints"),
        (lambda c: c["categories"][0].update(keypoints=["a", "a"]), "no list of different names"),
        (lambda c: c["categories"][0].update(keypoints="nose"), "no list of different names"),
        (
            lambda c: [each.update(file_name="x.png") for each in c["images"]],
            "none is found; the first is 'x.png'",
        ),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_is_refused(
    tmp_path: Path, change: Callable[[Content], object], message: str
) -> None:
    with pytest.raises(DataError) as error:
        scanned(tmp_path, changed(change))
    assert message in error.value.what
    assert error.value.where
    assert error.value.fix


def test_at_most_twenty_examples_are_named_and_the_count(tmp_path: Path) -> None:
    content = toys.content()
    content["annotations"] += [{"id": 100 + n, "image_id": 9, "category_id": 1} for n in range(50)]
    with pytest.raises(DataError, match=r"^error 3: 50 annotations are of images .* 119 and 30 more"):
        scanned(tmp_path, content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1 is no JSON"),
        ('{"images": [\n  {"id": 1,}\n]}', "line 2, column 12 is no JSON"),
        ("[]", "this is no COCO file: it is no object"),
    ],
)
def test_malformed_json_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        scanned(tmp_path, text)
    assert message in error.value.what
    assert error.value.where.startswith("annotations/points.json")


@pytest.mark.parametrize("seed", range(200))
def test_files_with_anything_in_the_place_of_anything_never_crash(tmp_path: Path, seed: int) -> None:
    content = mutated(toys.content(), random.Random(seed))
    try:
        scan = scanned(tmp_path, json.dumps(content), time_col=random.Random(seed).choice([None, "person"]))
    except DataError:
        return
    assert scan.samples["path"].is_unique
    for flat in scan.samples["keypoints"]:
        assert flat is None or (len(flat) == 9 and all(math.isfinite(number) for number in flat))


@pytest.mark.realdata
def test_real_faces_are_read_as_their_table_says(realdata: Path, tmp_path: Path) -> None:
    with (realdata / "face_keypoints" / "keypoints.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))[:200]
    points = [f"p{number}" for number in range(68)]
    content = {
        "images": [
            {"id": row, "file_name": cells["path"], "width": 96, "height": 96, "person": cells["person"]}
            for row, cells in enumerate(rows)
        ],
        "annotations": [
            {
                "id": row,
                "image_id": row,
                "category_id": 1,
                "keypoints": [
                    value
                    for number in range(68)
                    for value in (float(cells[f"x{number}"]), float(cells[f"y{number}"]), 2)
                ],
            }
            for row, cells in enumerate(rows)
        ],
        "categories": [{"id": 1, "name": "face", "keypoints": points}],
    }
    (tmp_path / "images").mkdir()
    for cells in rows:
        shutil.copyfile(realdata / "face_keypoints" / cells["path"], tmp_path / cells["path"])
    (tmp_path / "points.json").write_text(json.dumps(content), encoding="utf-8")
    data = DATA.model_copy(update={"table": "points.json", "group_col": "person"})
    scan = coco_keypoints.scan(tmp_path, data)
    assert scan.points == points
    assert scan.samples["group"].tolist() == [cells["person"] for cells in rows]
    read = coco_keypoints.reader(tmp_path, data)
    outside = 0
    for row, cells in enumerate(rows):
        picture = pixels.decode(read(scan.samples["path"][row]), 1, 96 * 96)
        flat = scan.samples["keypoints"][row]
        if flat is None:
            outside += 1
            assert "outside of the picture" in scan.samples["problem"][row]
            continue
        places = np.array(flat).reshape(68, 3)
        assert (places[:, :2] <= picture.shape[:2]).all()
        assert places[:, 0].tolist() == [float(cells[f"x{number}"]) for number in range(68)]
    assert outside < 20
