import pkgutil
from math import nan
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from convoy.config.data import ChecksConfig
from convoy.data import checks
from convoy.data.checks import (
    CHECKS,
    LAST,
    Check,
    Context,
    Finding,
    blank,
    changes,
    classes,
    conflicts,
    duplicates,
    groups,
    imbalance,
    labels,
    leakage,
    mode,
    near_duplicates,
    oversized,
    size,
    unreadable,
)
from convoy.plugins import load, names
from tests.data.checks.tables import given, photo

EVERY = (*CHECKS, *LAST)


def sound(count: int = 8) -> list[dict[str, Any]]:
    return [{"target": "ab"[number % 2]} for number in range(count)]


def found(check: Check, rows: list[dict[str, Any]], **how: Any) -> dict[int | None, tuple[str, str]]:
    return {each.row: (each.reason, each.detail) for each in check.run(*given(rows, **how))}


def test_every_file_is_a_check_that_is_run() -> None:
    files = {m.name for m in pkgutil.iter_modules(checks.__path__) if not m.name.startswith("_")}
    assert {check.NAME for check in EVERY} == files


def test_every_check_has_a_policy_and_every_policy_a_check() -> None:
    without = {"classes"}  # a model cannot be made without them
    parts = [load("checking", name) for name in names("checking")]
    every = {check.NAME for part in parts for check in (*part.CHECKS, *part.LAST)}
    assert every - without == set(ChecksConfig.model_fields)


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.NAME)
def test_a_check_finds_nothing_in_sound_data_and_changes_nothing(check: Check) -> None:
    samples, context = given(sound())
    before = samples.copy(deep=True)
    assert check.run(samples, context) == []
    pd.testing.assert_frame_equal(samples, before)


@pytest.mark.parametrize(
    "check", [check for check in EVERY if check is not classes], ids=lambda check: check.NAME
)
def test_a_check_copes_with_no_samples_at_all(check: Check) -> None:
    samples, context = given(sound())
    assert check.run(samples.iloc[:0], context) == []


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.NAME)
def test_a_check_copes_with_a_single_sample(check: Check) -> None:
    samples, context = given([{"target": "a"}], classes=["a", "b"])
    assert all(isinstance(each, Finding) for each in check.run(samples, context))


@pytest.mark.parametrize("check", EVERY, ids=lambda check: check.NAME)
def test_a_check_goes_by_rows_and_not_by_positions(check: Check) -> None:
    same = photo(1)
    rows: list[dict[str, Any]] = [{"target": "a", "split": "train", "picture": photo(n)} for n in range(5, 9)]
    rows += [{"target": "b", "split": side, "picture": same, "group": "g"} for side in ("train", "test")]
    samples, context = given(rows)
    for each in check.run(samples.drop(index=[0, 2]), context):
        assert each.row in (None, 4, 5)


def test_what_does_not_open_is_told_apart_by_the_reason() -> None:
    rows = [
        {"reason": reason, "detail": "why"} for reason in ("empty", "oversized", "truncated", "slow", None)
    ]
    assert found(unreadable, rows) == {0: ("empty", "why"), 2: ("truncated", "why")}
    assert found(oversized, rows) == {1: ("oversized", "why"), 3: ("slow", "why")}


def test_labels_that_are_missing_unknown_or_faulty_are_found_with_their_place() -> None:
    rows: list[dict[str, Any]] = [
        {"target": "a", "origin": "t.csv:2", "problem": None},
        {"target": None, "origin": "t.csv:3", "problem": None},
        {"target": "z", "origin": "t.csv:4", "problem": None},
        {"target": None, "origin": "t.csv:5", "problem": "t.csv:5: the label is not finite: inf"},
    ]
    assert found(labels, rows, classes=["a", "b"]) == {
        1: ("missing label", "t.csv:3: it has no label"),
        2: ("unknown label", "t.csv:4: 'z' is none of the 2 classes"),
        3: ("label", "t.csv:5: the label is not finite: inf"),
    }


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([1, 2, 2, 3, 4, 2], None),
        ([99, 99, 0, 3, 4, 2], None),
        (None, "no points"),
        ([1, 2, 2], "3 numbers for 2 points"),
        ([1, 2, 2, nan, 4, 2], "'right' is not finite"),
        ([1, 2, 2, 3, float("inf"), 0], "'right' is not finite"),
        ([17, 2, 2, 3, 4, 1], "'left' at (17, 2) lies outside of the 16 x 12"),
        ([1, -1, 2, 3, 4, 1], "'left' at (1, -1)"),
    ],
)
def test_points_must_be_finite_and_inside_the_picture(
    points: list[float] | None, message: str | None
) -> None:
    rows = [{"target": None, "keypoints": points}]
    told = found(labels, rows, task="keypoints", points=["left", "right"])
    assert (message is None) == (told == {})
    assert message is None or message in told[0][1]


def test_checks_of_classes_say_nothing_of_keypoints() -> None:
    rows = [{"target": None, "keypoints": [1, 2, 2]} for _ in range(4)]
    for check in (classes, imbalance, labels):
        assert found(check, rows, classes=[], task="keypoints", points=["nose"]) == {}


def test_pictures_of_a_single_colour_are_blank() -> None:
    flat = np.full((12, 16, 3), 200, np.uint8)
    colours = np.zeros((12, 16, 3), np.uint8)
    colours[:6], colours[6:] = (0, 100, 0), (196, 0, 4)  # of the same grey
    rows = [{}, {"picture": flat, "mean": 200.0, "std": 0.0}, {"picture": colours, "std": 0.4}]
    assert found(blank, rows) == {1: ("blank", "a single colour: its grey is 200 of 255 and deviates by 0.0")}


def test_pictures_of_another_size_or_shape_are_found() -> None:
    rows = [{"width": 100, "height": 100} for _ in range(9)]
    rows += [{"width": w, "height": h} for w, h in ((25, 25), (400, 400), (200, 60), (200, 100))]
    told = found(size, rows)
    assert {row: reason for row, (reason, _) in told.items()} == {9: "small", 10: "large", 11: "long"}
    assert told[9][1] == "25 x 25 pixels; the others are about 100 x 100"


def test_a_mode_is_odd_only_where_nearly_all_others_agree() -> None:
    assert found(mode, [{"mode": "RGB"}] * 39 + [{"mode": "CMYK"}])[39][1].startswith(
        "its mode is CMYK; 97.5%"
    )
    assert found(mode, [{"mode": "RGB"}] * 3 + [{"mode": "L"}]) == {}


def test_of_duplicates_in_a_class_the_first_is_kept() -> None:
    one = photo(1)
    rows = [{"picture": one}, {}, {"picture": one}, {"picture": one}]
    assert found(duplicates, rows) == {
        2: ("duplicate", "same content as 0.png"),
        3: ("duplicate", "same content as 0.png"),
    }


def test_of_one_content_under_two_labels_none_is_kept() -> None:
    one = photo(1)
    rows = [{"picture": one}, {"picture": one, "target": "y"}, {"target": "y"}, {"picture": one}]
    assert found(conflicts, rows) == {
        0: ("conflict", "same content as 1.png (y)"),
        1: ("conflict", "same content as 0.png (x)"),
        3: ("conflict", "same content as 1.png (y)"),
    }


def smaller(picture: Any) -> Any:
    return cv2.resize(picture, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)


def brighter(picture: Any) -> Any:
    return (picture.astype(np.int64) * 9 // 10 + 20).astype(np.uint8)


def saved_again(picture: Any) -> Any:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize("change", [smaller, brighter, saved_again])
def test_nearly_the_same_picture_is_found_and_named(change: Any) -> None:
    rows: list[dict[str, Any]] = [{"picture": photo(n)} for n in range(6)]
    rows.append({"picture": change(photo(3))})
    assert found(near_duplicates, rows) == {6: ("near duplicate", "nearly the same picture as 3.png")}


def test_nearly_the_same_picture_under_two_labels_is_no_more_than_a_warning() -> None:
    rows = [{"picture": photo(1)}, {"picture": smaller(photo(1)), "target": "y"}]
    told = conflicts.run(*given(rows))
    assert [(each.row, each.reason, each.mild) for each in told] == [
        (0, "near conflict", True),
        (1, "near conflict", True),
    ]


@pytest.mark.parametrize(("change", "reason"), [(np.copy, "leakage"), (smaller, "near leakage")])
def test_a_picture_in_two_given_splits_stays_in_test(change: Any, reason: str) -> None:
    rows: list[dict[str, Any]] = [{"split": "train"}, {"split": "val"}, {"split": "test"}]
    rows += [
        {"split": side, "picture": change(photo(1)) if side == "val" else photo(1)}
        for side in ("train", "val")
    ]
    rows.append({"split": "test", "picture": photo(2)})
    rows.append({"split": "train", "picture": change(photo(2))})
    told = found(leakage, rows)
    assert {row: kind for row, (kind, _) in told.items()} == {3: reason, 6: reason}
    assert told[3][1].endswith("4.png in val")
    assert told[6][1].startswith("in train; ")


def test_without_given_splits_nothing_leaks() -> None:
    assert found(leakage, [{"picture": photo(1)}, {"picture": photo(1)}]) == {}


def test_a_group_in_two_splits_stays_where_most_of_it_is() -> None:
    rows = [
        {"split": side, "group": group} for side, group in (("train", "p"), ("train", "p"), ("test", "p"))
    ]
    rows += [
        {"split": "train", "group": "q"},
        {"split": "test", "group": "q"},
        {"split": "test", "group": "r"},
    ]
    rows += [{"split": "train", "group": None}, {"split": "test", "group": None}]
    assert found(groups, rows) == {
        2: ("group", "group 'p' has 2 in train and 1 in test"),
        3: ("group", "group 'q' has 1 in test and 1 in train"),
    }


def test_a_class_of_a_tenth_of_the_largest_is_told() -> None:
    rows = [{"target": "a"}] * 30 + [{"target": "b"}] * 3 + [{"target": "c"}] * 4
    assert found(imbalance, rows) == {
        None: ("imbalance", "class 'b' has 3 samples, 'a' has 30: 10 times as many")
    }


def test_single_empty_and_small_classes_are_named() -> None:
    assert "a single class, 'x'" in found(classes, [{}] * 4)[None][1]
    samples, context = given([{"target": "x"}] * 4 + [{"target": "y"}], classes=["x", "y", "z"])
    assert [each.detail for each in classes.run(samples, context)] == [
        "class 'y' has 1 good sample, fewer than validate.min_per_class = 3",
        "class 'z' is empty: it has no good sample",
    ]


def test_what_came_went_and_changed_its_label_is_told() -> None:
    samples, context = given([{"target": "ab"[n % 2]} for n in range(6)])
    before = samples[["id", "path", "target"]].drop(index=0)
    before.loc[1, "target"] = "a"
    before.loc[2, "path"] = "renamed.png"
    before.loc[9] = ["f" * 32, "gone.png", "a"]
    told = changes.run(
        samples, Context(context.config, ["a", "b"], context.facts, context.ids, before=before)
    )
    assert [(each.reason, each.detail) for each in told] == [
        ("came", "1 picture came: 0.png"),
        ("went", "1 picture went: gone.png"),
        ("relabelled", "1 picture changed the label: 1.png (a to b)"),
    ]


def test_shares_that_changed_beyond_chance_are_told() -> None:
    samples, context = given([{"target": "a" if n < 60 else "b"} for n in range(80)])
    before = samples[["id", "path", "target"]].assign(target=["ab"[n % 2] for n in range(80)])
    told = changes.run(
        samples, Context(context.config, ["a", "b"], context.facts, context.ids, before=before)
    )
    assert "a 50.0% to 75.0%" in {each.reason: each.detail for each in told}["shares"]
