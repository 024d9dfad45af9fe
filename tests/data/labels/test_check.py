from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from convoy.data import fixes
from convoy.data.fixes import Fix
from convoy.data.labels import check
from convoy.layout import FIXES
from tests.data.labels.toys import CLASSES, flipped, stripes, table, truth

WRONG = [3, 40, 77]


def context(pictures: np.ndarray, base: Path, **other: Any) -> Any:
    """What the check uses of the gate's context."""
    return SimpleNamespace(
        **{
            "classes": CLASSES,
            "task": "classification",
            "facts": SimpleNamespace(
                thumbnails=lambda rows: pictures[rows.to_numpy()], folder=Path("version 1")
            ),
            "twins": SimpleNamespace(pairs=np.empty((0, 2), np.int64)),
            "cache": base / ".convoy" / "cache",
            "base": base,
            **other,
        }
    )


def test_each_doubted_label_is_a_finding_in_the_order_of_doubt(tmp_path: Path) -> None:
    samples = table(flipped(truth(150), WRONG))
    found = check.run(samples, context(stripes(truth(150)), tmp_path))
    assert {finding.row for finding in found} == set(WRONG)
    assert {finding.reason for finding in found} == {"label"}
    by_row = {finding.row: finding for finding in found}
    assert by_row[40].detail.startswith("looks like down (0.9")
    assert ", labelled slanting (0.0" in by_row[40].detail
    assert not any(finding.mild for finding in found)
    assert (tmp_path / ".convoy" / "cache" / "labels").is_dir()


def test_sound_labels_give_no_finding(tmp_path: Path) -> None:
    assert check.run(table(truth(150)), context(stripes(truth(150)), tmp_path)) == []


def test_what_a_person_has_settled_is_not_asked_again(tmp_path: Path) -> None:
    samples = table(flipped(truth(150), WRONG))
    (kept, other, _) = WRONG
    fixes.write(
        tmp_path / FIXES,
        [
            Fix(samples["id"][kept], samples["target"][kept], "keep", samples["path"][kept]),
            Fix(samples["id"][other], "across", "relabel", samples["path"][other], samples["target"][other]),
        ],
    )
    where = context(stripes(truth(150)), tmp_path)
    assert [finding.row for finding in check.run(samples, where)] == [WRONG[2]]
    assert set(WRONG[:2]).isdisjoint(check.listed(samples, where).index)


def test_what_was_not_judged_is_said_and_only_warns(tmp_path: Path) -> None:
    samples = table(truth(150))
    samples["target"] = samples["target"].where(samples.index != 0, "rare")
    (found,) = check.run(samples, context(stripes(truth(150)), tmp_path, classes=[*CLASSES, "rare"]))
    assert (found.row, found.reason, found.mild) == (None, "audit", True)
    assert "'rare'" in found.detail


def test_more_doubts_than_are_listed_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "MOST", 2)
    samples = table(flipped(truth(150), WRONG))
    found = check.run(samples, context(stripes(truth(150)), tmp_path))
    assert [finding.row is None for finding in found] == [False, False, True]
    assert found[-1].detail == "3 labels are doubted, the first 2 are findings"


def test_a_weak_model_says_so(tmp_path: Path) -> None:
    """Half of the pictures are noise: the labels of these cannot be foreseen."""
    pictures = stripes(truth(300))
    pictures[150:] = np.random.default_rng(0).integers(0, 256, (150, 32, 32, 3), dtype=np.uint8)
    codes = flipped(truth(300), WRONG)
    codes[150:] = np.random.default_rng(1).permutation(codes[150:])
    found = check.run(table(codes), context(pictures, tmp_path))
    assert found[-1].mild
    assert "of the labels itself" in found[-1].detail


def test_keypoints_have_no_labels_to_doubt(tmp_path: Path) -> None:
    where = context(stripes(truth(30)), tmp_path, task="keypoints")
    assert check.run(table(truth(30)), where) == []


def test_pairs_of_rows_become_pairs_of_positions() -> None:
    rows = pd.Index([2, 5, 9])
    left, right = check._pairs(rows, np.array([[2, 9], [5, 7], [0, 2], [5, 9], [11, 12]]))
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == [(0, 2), (1, 2)]
    assert check._pairs(rows[:0], np.empty((0, 2), np.int64))[0].size == 0
