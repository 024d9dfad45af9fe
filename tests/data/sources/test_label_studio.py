"""Answers in an export of Label Studio: choices, points, and annotators who may disagree."""

import math
from pathlib import Path
from typing import Any

import pytest

from convoy.errors import DataError
from tests.data.sources.label_studio_scans import data, pictures, scanned
from tests.data.sources.toys_label_studio import annotation, choice, point, task

FORMS = ["json", "json_min", "csv", "tsv"]


def problem(root: Path, *annotations: dict[str, Any], form: str = "json", **options: Any) -> str:
    """Of the first of two tasks; the second has a label or a point called `a`."""
    pictures(root, "1.jpg", "2.jpg")
    keypoints = any(result["type"] == "keypointlabels" for each in annotations for result in each["result"])
    sound = annotation(point("a", 1, 1) if keypoints else choice("a"))
    scan = scanned(root, [task(1, "1.jpg", annotations), task(2, "2.jpg", [sound])], form, **options)
    assert scan.samples["problem"][1] is None
    said = scan.samples["problem"][0]
    assert said.startswith(f"{data(form).table}:task 1: ")
    assert scan.samples["target"][0] is None
    return str(said).removeprefix(f"{data(form).table}:task 1: ")


@pytest.mark.parametrize("form", FORMS)
def test_choices_are_classes_in_every_form_of_export(tmp_path: Path, form: str) -> None:
    pictures(tmp_path, "x/1.jpg", "2.jpg", "not labelled.jpg")
    tasks = [
        task(1, "https://example.com/a%20b/1.jpg?token=1", [annotation(choice("猫, big"))]),
        task(2, "/data/local-files/?d=somewhere/2.jpg", [annotation(choice("dog"))]),
    ]
    scan = scanned(tmp_path, tasks, form)
    assert scan.samples["path"].tolist() == ["x/1.jpg", "2.jpg"]
    assert scan.samples["target"].tolist() == ["猫, big", "dog"]
    assert scan.samples["origin"].tolist() == [f"{data(form).table}:task {number}" for number in (1, 2)]
    assert scan.classes == ["dog", "猫, big"]
    assert scan.task == "classification"
    assert scan.ignored == ["not labelled.jpg"]
    assert scan.notes == []
    assert "problem" not in scan.samples


@pytest.mark.parametrize("form", FORMS)
def test_points_are_pixels_in_every_form_of_export(tmp_path: Path, form: str) -> None:
    pictures(tmp_path, "1.jpg", "2.jpg")
    tasks = [
        task(1, "1.jpg", [annotation(point("p10", 50, 25), point("p2", 0, 100))]),
        task(2, "2.jpg", [annotation(point("p2", 12.5, 2.5))]),
    ]
    scan = scanned(tmp_path, tasks, form)
    assert scan.task == "keypoints"
    assert scan.points == ["p2", "p10"]
    assert scan.classes == []
    assert scan.samples["keypoints"].tolist() == [[0, 80, 2, 100, 20, 2], [25, 2, 2, 0, 0, 0]]
    assert scan.samples["target"].tolist() == [None, None]


@pytest.mark.parametrize("form", FORMS)
def test_annotators_who_agree_are_one(tmp_path: Path, form: str) -> None:
    pictures(tmp_path, "1.jpg")
    said = [annotation(choice("dog"), by=1), annotation(choice("dog"), by=2)]
    scan = scanned(tmp_path, [task(1, "1.jpg", said)], form)
    assert scan.samples["target"].tolist() == ["dog"]


@pytest.mark.parametrize("form", FORMS)
def test_annotators_who_disagree_are_named(tmp_path: Path, form: str) -> None:
    said = [annotation(choice("dog"), by=3), annotation(choice("cat"), by=5), annotation(choice("dog"), by=6)]
    expected = "annotators disagree: 'dog' (annotator 3), 'cat' (annotator 5)"
    assert problem(tmp_path, *said, form=form) == expected


def test_an_annotator_who_says_nothing_disagrees(tmp_path: Path) -> None:
    said = [annotation(choice("dog"), by=3), annotation(by=5)]
    assert problem(tmp_path, *said) == "annotators disagree: 'dog' (annotator 3), 'nothing' (annotator 5)"


def test_different_points_of_two_annotators_are_a_problem(tmp_path: Path) -> None:
    said = [annotation(point("a", 1, 1), by=3), annotation(point("a", 1, 2), by=5)]
    assert problem(tmp_path, *said) == "annotators set different points: annotator 3, annotator 5"


def test_the_ground_truth_decides(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg")
    said = [annotation(choice("dog")), annotation(choice("cat"), ground_truth=True)]
    assert scanned(tmp_path, [task(1, "1.jpg", said)]).samples["target"].tolist() == ["cat"]


@pytest.mark.parametrize("form", FORMS)
def test_cancelled_annotations_do_not_count(tmp_path: Path, form: str) -> None:
    pictures(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    tasks = [
        task(1, "1.jpg", [annotation(choice("cat"), was_cancelled=True), annotation(choice("dog"))]),
        task(2, "2.jpg", [annotation(choice("cat"), was_cancelled=True)]),
        task(3, "3.jpg", []),
    ]
    scan = scanned(tmp_path, tasks, form)
    assert scan.samples["target"].tolist() == ["dog"]
    left_out = "task 2, task 3" if form == "json" else "task 3"
    assert scan.notes == [f"{left_out.count('task')} tasks without an annotation are left out: {left_out}"]
    assert scan.ignored == ["2.jpg", "3.jpg"]


def test_skipped_annotations_and_completions_of_old_versions_are_understood(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg", "2.jpg")
    tasks = [
        {"id": 1, "data": {"image": "1.jpg"}, "completions": [{"result": [choice("dog")]}]},
        {"id": 2, "data": {"image": "2.jpg"}, "completions": [{"result": [choice("cat")], "skipped": True}]},
    ]
    assert scanned(tmp_path, tasks).samples["target"].tolist() == ["dog"]


@pytest.mark.parametrize("form", FORMS)
def test_several_choices_are_a_problem(tmp_path: Path, form: str) -> None:
    assert problem(tmp_path, annotation(choice("dog", "cat")), form=form) == "several choices: dog, cat"


@pytest.mark.parametrize("form", FORMS)
def test_no_choice_is_a_problem(tmp_path: Path, form: str) -> None:
    assert problem(tmp_path, annotation(), form=form) == "the annotation says nothing"


@pytest.mark.parametrize("form", ["json", "json_min"])
@pytest.mark.parametrize("name", [" ", 3, None])
def test_an_empty_choice_is_a_problem(tmp_path: Path, name: Any, form: str) -> None:
    said = (
        "the annotation says nothing"
        if form == "json_min" and not isinstance(name, str)
        else "the choice is empty"
    )
    assert problem(tmp_path, annotation(choice(name)), form=form) == said


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([point("a", 1, 1), point("a", 2, 2)], "the point 'a' is set twice"),
        ([point("a", 101, 1)], "the point 'a' lies outside of the picture"),
        ([point("a", 1, -0.1)], "the point 'a' lies outside of the picture"),
        ([point("a", math.nan, 1)], "the point 'a' has no place: nan, 1"),
        ([point("a", 1, math.inf)], "the point 'a' has no place: 1, inf"),
        ([point("a", "1", True)], "the point 'a' has no place: 1, True"),
        ([point("a", 1, 1, original_width=0)], "the export does not say how large the picture is"),
        ([point("a", 1, 1, original_height=None)], "the export does not say how large the picture is"),
        ([point("a", 1, 1, image_rotation=90)], "the picture was turned by 90° for labelling"),
        ([{**point("a", 1, 1), "value": {"x": 1, "y": 1}}], "a point has 0 names: "),
        (
            [{**point("a", 1, 1), "value": {"x": 1, "y": 1, "keypointlabels": ["b", "c"]}}],
            "a point has 2 names: b, c",
        ),
    ],
)
def test_points_that_are_wrong_are_problems(tmp_path: Path, results: list[Any], message: str) -> None:
    assert problem(tmp_path, annotation(*results)) == message


def test_the_configuration_may_order_the_points(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg", "2.jpg")
    tasks = [
        task(1, "1.jpg", [annotation(point("a", 50, 50), point("b", 0, 0))]),
        task(2, "2.jpg", [annotation(point("a", 50, 50), point("x", 0, 0))]),
    ]
    scan = scanned(tmp_path, tasks, classes=["b", "a"])
    assert scan.points == ["b", "a"]
    assert scan.samples["keypoints"].tolist() == [[0, 0, 2, 100, 40, 2], None]
    assert scan.samples["problem"][1] == "export.json:task 2: x among its points is none of data.classes"


def test_classes_that_the_configuration_does_not_name_are_problems(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg", "2.jpg")
    tasks = [
        task(1, "1.jpg", [annotation(choice("dog"))]),
        task(2, "2.jpg", [annotation(choice("cat"))]),
    ]
    scan = scanned(tmp_path, tasks, classes=["dog", "bird"])
    assert scan.classes == ["dog", "bird"]
    assert scan.samples["target"].tolist() == ["dog", None]
    assert "'cat' is none of data.classes" in scan.samples["problem"][1]


@pytest.mark.parametrize("form", FORMS)
def test_data_target_names_the_control(tmp_path: Path, form: str) -> None:
    pictures(tmp_path, "1.jpg")
    both = [choice("dog"), choice("sharp", control="quality")]
    tasks = [task(1, "1.jpg", [annotation(*both)], camera="left")]
    assert scanned(tmp_path, tasks, form, target="quality").samples["target"].tolist() == ["sharp"]
    assert scanned(tmp_path, tasks, form, target="kind").samples["target"].tolist() == ["dog"]
    with pytest.raises(DataError, match=r"several may hold the labels: .*kind, quality") as error:
        scanned(tmp_path, tasks, form)
    assert "data.target" in error.value.fix
    with pytest.raises(DataError, match=r"control 'knd' does not occur.*kind \(choices\)"):
        scanned(tmp_path, tasks, form, target="knd")


def test_controls_of_other_kinds_are_told(tmp_path: Path) -> None:
    pictures(tmp_path, "1.jpg")
    box = {
        **choice("car", control="box"),
        "type": "rectanglelabels",
        "value": {"x": 1, "rectanglelabels": ["car"]},
    }
    tasks = [task(1, "1.jpg", [annotation(box, {"type": "relation", "from_id": "a", "to_id": "b"})])]
    with pytest.raises(DataError, match=r"there are: box \(rectanglelabels\)"):
        scanned(tmp_path, tasks)
    with pytest.raises(DataError, match=r"control 'box' is of rectanglelabels"):
        scanned(tmp_path, tasks, target="box")
    tasks[0]["annotations"][0]["result"].append(choice("dog"))
    assert scanned(tmp_path, tasks).samples["target"].tolist() == ["dog"]
