import pkgutil
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from convoy.data import checks, manifest
from convoy.data.checks import CHECKS, classes, decodable, duplicates
from convoy.data.checks._base import Check, Context
from tests.data.pictures import MAX_PIXELS, bomb, encoded, noise

Contents = dict[str, tuple[str, bytes]]  # path -> target, content


def given(contents: Contents, *, names: list[str] | None = None) -> tuple[pd.DataFrame, Context]:
    samples = pd.DataFrame(
        {
            "id": [manifest.content_id(content) for _, content in contents.values()],
            "path": list(contents),
            "target": [target for target, _ in contents.values()],
            "split": None,
        }
    )
    read: Callable[[str], bytes | NDArray[np.uint8]] = lambda path: contents[path][1]  # noqa: E731
    return samples, Context(read, names or sorted(set(samples["target"])), MAX_PIXELS, 3)


def sound(count: int = 4) -> Contents:
    return {f"{n % 2}/{n}.png": ("ab"[n % 2], encoded(noise(n))) for n in range(count)}


def test_every_check_is_run() -> None:
    files = {m.name for m in pkgutil.iter_modules(checks.__path__) if not m.name.startswith("_")}
    assert {check.NAME for check in CHECKS} == files


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.NAME)
def test_a_check_finds_nothing_in_sound_data_and_changes_nothing(check: Check) -> None:
    samples, context = given(sound(8))
    before = samples.copy(deep=True)
    verdict = check.run(samples, context)
    assert verdict.bad == {}
    assert verdict.problems == []
    assert all(len(values) == len(samples) for values in verdict.columns.values())
    pd.testing.assert_frame_equal(samples, before)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.NAME)
def test_a_check_copes_with_no_samples_at_all(check: Check) -> None:
    samples, context = given(sound(2))
    assert check.run(samples.iloc[:0], context).bad == {}


def test_bad_pictures_are_found_with_their_reasons() -> None:
    whole = encoded(noise(9), "JPEG")
    samples, context = given(
        {
            "a": ("x", whole),
            "b": ("x", b""),
            "c": ("x", whole[:-60]),
            "d": ("x", b"just text\n"),
            "e": ("x", bomb()),
        }
    )
    verdict = decodable.run(samples, context)
    assert {row: reason for row, (reason, _) in verdict.bad.items()} == {
        1: "empty",
        2: "undecodable",
        3: "undecodable",
        4: "oversized",
    }
    assert "13000 x 13000" in verdict.bad[4][1]
    assert verdict.columns["width"] == [16, 0, 16, 0, 0]
    assert verdict.columns["bytes"][0] == len(whole)


def test_an_oversized_picture_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, context = given({"a": ("x", bomb())})
    monkeypatch.setattr(decodable.pixels, "decode", lambda *_: pytest.fail("decoded"))
    assert decodable.run(samples, context).bad[0][0] == "oversized"


def test_arrays_are_described_too() -> None:
    samples, _ = given({"a#0": ("x", b"")})
    array = np.zeros((5, 4), np.uint8)
    verdict = decodable.run(samples, Context(lambda _: array, ["x"], MAX_PIXELS, 3))
    assert verdict.bad == {}
    assert verdict.columns == {"width": [4], "height": [5], "mode": ["L"], "bytes": [20]}


def test_of_duplicates_in_a_class_the_first_is_kept() -> None:
    one, two = encoded(noise(1)), encoded(noise(2))
    samples, context = given({"a": ("x", one), "b": ("x", two), "c": ("x", one), "d": ("x", one)})
    assert duplicates.run(samples, context).bad == {
        2: ("duplicate", "same content as a"),
        3: ("duplicate", "same content as a"),
    }


def test_of_one_content_under_two_labels_none_is_kept() -> None:
    one, two = encoded(noise(1)), encoded(noise(2))
    samples, context = given({"a": ("x", one), "b": ("y", one), "c": ("y", two), "d": ("x", one)})
    assert duplicates.run(samples, context).bad == {
        0: ("conflict", "same content as b (y)"),
        1: ("conflict", "same content as a (x)"),
        3: ("conflict", "same content as b (y)"),
    }


def test_a_single_class_is_a_problem() -> None:
    samples, context = given({str(n): ("x", encoded(noise(n))) for n in range(4)})
    assert any("single class, 'x'" in problem for problem in classes.run(samples, context).problems)


def test_empty_and_small_classes_are_problems_by_name() -> None:
    contents = {str(n): ("x" if n else "y", encoded(noise(n))) for n in range(5)}
    samples, context = given(contents, names=["x", "y", "z"])
    problems = classes.run(samples, context).problems
    assert len(problems) == 2
    assert "'y' has 1 good sample, fewer than validate.min_per_class = 3" in problems[0]
    assert "'z' is empty" in problems[1]
