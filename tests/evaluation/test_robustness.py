import numpy as np
import pytest

from convoy.evaluation import robustness
from tests.toys import images

KINDS = {"noise", "blur", "jpeg", "brightness", "rotation"}


def upper_half(pictures: np.ndarray) -> np.ndarray:
    """A model of the toy classes: which half is brighter."""
    half = pictures.shape[1] // 2
    return (pictures[:, :half].mean(axis=(1, 2, 3)) > pictures[:, half:].mean(axis=(1, 2, 3))).astype(
        np.int64
    )


def test_five_corruptions_at_three_strengths_are_measured() -> None:
    pictures = images(20)
    table = robustness.measure(pictures, np.arange(20) % 2, upper_half, confidence=0.95, seed=0)
    assert list(table.columns) == list(robustness.COLUMNS)
    assert set(zip(table["corruption"], table["strength"], strict=True)) == {
        (kind, strength) for kind in KINDS for strength in (1, 2, 3)
    }
    assert (table["samples"] == 20).all()
    assert table.set_index("corruption").loc["noise", "accuracy"].min() > 0.9
    assert ((table["low"] <= table["accuracy"]) & (table["accuracy"] <= table["high"])).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_each_corruption_changes_more_the_stronger_it_is(channels: int) -> None:
    pictures = images(12, side=32, channels=channels)
    changes: dict[str, list[float]] = {}
    for name, _, _, specs in robustness.corruptions(32):
        changed = robustness.corrupt(pictures, specs, 1)
        assert changed.shape == pictures.shape
        changes.setdefault(name, []).append(float(np.abs(changed.astype(int) - pictures).mean()))
    assert set(changes) == KINDS
    for values in changes.values():
        assert 0 < values[0] < values[1] < values[2]


def test_the_same_seed_gives_the_same_pictures_and_another_one_other_noise() -> None:
    pictures = images(6)
    noise = next(specs for name, _, _, specs in robustness.corruptions(12) if name == "noise")
    first, again, other = (robustness.corrupt(pictures, noise, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_every_second_picture_goes_the_other_way() -> None:
    pictures = np.full((4, 16, 16, 1), 128, np.uint8)
    brightness = next(specs for name, _, _, specs in robustness.corruptions(16) if name == "brightness")
    changed = robustness.corrupt(pictures, brightness, 0).mean(axis=(1, 2, 3))
    assert (changed[0::2] > 128).all()
    assert (changed[1::2] < 128).all()


def test_the_originals_are_left_as_they_are() -> None:
    pictures = images(4)
    before = pictures.copy()
    robustness.measure(pictures, np.zeros(4, np.int64), upper_half, confidence=0.95, seed=0)
    assert (pictures == before).all()


def test_no_pictures_make_an_empty_table() -> None:
    table = robustness.measure(images(4)[:0], np.zeros(0, np.int64), upper_half, confidence=0.95, seed=0)
    assert table.empty
    assert list(table.columns) == list(robustness.COLUMNS)


def test_the_means_are_over_the_strengths() -> None:
    pictures = images(20)
    table = robustness.measure(pictures, np.arange(20) % 2, upper_half, confidence=0.95, seed=0)
    found = robustness.means(table, untouched=1.0)
    assert set(found) == {*KINDS, "mean", "untouched"}
    assert found["blur"] == pytest.approx(table[table["corruption"] == "blur"]["accuracy"].mean(), abs=1e-6)
    assert found["mean"] == pytest.approx(np.mean([found[kind] for kind in KINDS]), abs=1e-6)
