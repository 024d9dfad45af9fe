from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from convoy.data.labels import audit as module
from convoy.data.labels import crossval
from convoy.data.labels.audit import audit
from tests.data.labels.toys import CLASSES, flipped, stripes, table, truth

WRONG = [3, 40, 77, 101, 140]


class Thumbs:
    """Thumbnails by row; counts how often it is asked."""

    def __init__(self, pictures: np.ndarray) -> None:
        self.pictures = pictures
        self.asked = 0

    def __call__(self, rows: pd.Index) -> np.ndarray:
        self.asked += 1
        return self.pictures[rows.to_numpy()]


@pytest.fixture
def thumbs() -> Thumbs:
    return Thumbs(stripes(truth(150)))


def test_wrong_labels_come_first_with_the_class_that_the_picture_shows(thumbs: Thumbs) -> None:
    samples = table(flipped(truth(150), WRONG))
    found = audit(samples, CLASSES, thumbs)
    first = found.table.head(5)
    assert set(first.index) == set(WRONG)
    assert first["doubted"].all()
    assert first["suggested"].tolist() == [CLASSES[row % 3] for row in first.index]
    assert (first["given"] < 0.2).all()
    assert (first["confidence"] > 0.8).all()
    assert len(found.table) == 150
    assert found.agreement == pytest.approx(145 / 150, abs=0.01)
    assert found.notes == []


def test_rows_go_by_the_index_of_the_table(thumbs: Thumbs) -> None:
    samples = table(flipped(truth(150), WRONG)).drop(index=range(0, 150, 10))
    found = audit(samples, CLASSES, thumbs)
    assert set(found.table.index[:3]) <= set(WRONG)
    assert set(found.table.index) == set(samples.index)


def test_labels_that_are_missing_or_unknown_are_passed_over(thumbs: Thumbs) -> None:
    samples = table(flipped(truth(150), WRONG))
    samples["target"] = samples["target"].astype(object)
    samples.loc[0, "target"] = None
    samples.loc[1, "target"] = "sideways"
    found = audit(samples, CLASSES, thumbs)
    assert set(range(150)) - set(found.table.index) == {0, 1}
    assert set(found.table.index[:5]) == set(WRONG)


def test_a_class_of_fewer_than_five_different_pictures_is_left_out_and_named(thumbs: Thumbs) -> None:
    samples = table(truth(150))
    samples["target"] = samples["target"].where(samples.index != 0, "rare")
    samples.loc[[1, 2, 4, 5, 7], "target"] = "copies"
    samples.loc[[1, 2, 4, 5, 7], "id"] = "c" * 32
    found = audit(samples, [*CLASSES, "rare", "copies", "empty"], thumbs)
    assert set(found.table["suggested"]) <= set(CLASSES)
    assert found.notes == [
        "labels of the classes 'rare', 'copies', 'empty' were not judged: fewer than 5 different samples"
    ]


def test_nothing_is_judged_without_two_classes(thumbs: Thumbs) -> None:
    samples = table(truth(150)[::3])
    found = audit(samples, CLASSES, thumbs)
    assert len(found.table) == 0
    assert found.notes[-1] == "no label was judged: that takes two classes"
    assert len(audit(samples.iloc[:0], CLASSES, thumbs).table) == 0
    assert thumbs.asked == 0


def test_twins_do_not_vouch_for_each_other() -> None:
    """A group of pictures is copied with its wrong label: only who holds all copies back sees it."""
    codes = truth(150)
    pictures = stripes(codes)
    copies = list(range(0, 24, 3))
    pictures[copies] = pictures[0]
    samples = table(flipped(codes, copies))
    alone = audit(samples, CLASSES, Thumbs(pictures))
    pairs = (np.zeros(len(copies) - 1, np.int64), np.array(copies[1:]))
    together = audit(samples, CLASSES, Thumbs(pictures), pairs)
    assert not alone.table.loc[copies, "doubted"].any()
    assert (together.table.loc[copies, "suggested"] == "across").all()
    assert (together.table.loc[copies, "given"] < 0.3).all()


def test_groups_stand_in_one_fold_unless_a_class_has_too_few(thumbs: Thumbs) -> None:
    codes = truth(150)
    pictures = stripes(codes)
    copies = list(range(0, 24, 3))
    pictures[copies] = pictures[0]
    names = [f"person {row // 6}" if row >= 24 else "the copied one" for row in range(150)]
    names = ["the copied one" if row in copies else name for row, name in enumerate(names)]
    samples = table(flipped(codes, copies), group=names)
    held = audit(samples, CLASSES, Thumbs(pictures))
    assert (held.table.loc[copies, "suggested"] == "across").all()
    few = audit(samples.assign(group="all of one"), CLASSES, Thumbs(pictures))
    assert len(few.table) == 150


def test_a_second_audit_of_the_same_labels_opens_no_thumbnail(thumbs: Thumbs, tmp_path: Path) -> None:
    samples = table(flipped(truth(150), WRONG))
    plain = audit(samples, CLASSES, thumbs)
    first = audit(samples, CLASSES, thumbs, cache=tmp_path)
    again = audit(samples, CLASSES, thumbs, cache=tmp_path)
    assert thumbs.asked == 2
    pd.testing.assert_frame_equal(plain.table, first.table)
    pd.testing.assert_frame_equal(first.table, again.table)
    assert first.agreement == again.agreement
    for changed in (table(truth(150)), samples.assign(id=samples["id"].str.replace("0", "f"))):
        asked = thumbs.asked
        audit(changed, CLASSES, thumbs, cache=tmp_path)
        assert thumbs.asked == asked + 1
    audit(samples, CLASSES, thumbs, cache=tmp_path, looks="other thumbnails")
    assert thumbs.asked == 5


def test_what_other_code_found_is_not_taken(
    thumbs: Thumbs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = table(flipped(truth(150), WRONG))
    audit(samples, CLASSES, thumbs, cache=tmp_path)
    changed = tmp_path / "crossval.py"
    changed.write_bytes(Path(str(crossval.__file__)).read_bytes() + b"#")
    module._method.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(crossval, "__file__", str(changed))
        audit(samples, CLASSES, thumbs, cache=tmp_path)
    module._method.cache_clear()
    assert thumbs.asked == 2


def test_the_number_of_threads_changes_no_bit(thumbs: Thumbs) -> None:
    samples = table(flipped(truth(150), WRONG))
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(audit(samples, CLASSES, thumbs).table)
    pd.testing.assert_frame_equal(*found, check_exact=True)


def test_a_damaged_cache_is_passed_over(thumbs: Thumbs, tmp_path: Path) -> None:
    samples = table(flipped(truth(150), WRONG))
    first = audit(samples, CLASSES, thumbs, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-40])
    pd.testing.assert_frame_equal(audit(samples, CLASSES, thumbs, cache=tmp_path).table, first.table)
    assert thumbs.asked == 2


def test_of_too_many_samples_an_even_part_is_judged_and_it_is_said(
    thumbs: Thumbs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_SAMPLES", 60)
    samples = table(truth(150))
    rare = samples.index[samples["target"] == "down"][6:]
    samples = samples.drop(index=rare)
    found = audit(samples, CLASSES, thumbs)
    judged = samples["target"].loc[found.table.index].value_counts()
    assert len(found.table) <= 61
    assert judged["down"] == 5
    assert judged["across"] == judged["slanting"]
    assert found.notes == ["60 of 106 samples were judged, drawn evenly from all classes"]
