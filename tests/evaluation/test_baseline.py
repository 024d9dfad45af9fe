from pathlib import Path

import numpy as np
import pytest

from convoy.data import store
from convoy.data.store import Store
from convoy.evaluation import baseline, hog
from convoy.evaluation.intervals import Resampling
from convoy.evaluation.modalities.image.view import BASELINES, hog_linear
from tests.toys import CLASSES

HOW = Resampling(resamples=200, confidence=0.95, seed=0)


def gratings(count: int, seed: int) -> np.ndarray:
    """Noisy stripes of 16 pixels a side, down (class 0) and across (class 1) in turn: (N, 16, 16, 1)."""
    pixels = np.random.default_rng(seed).integers(0, 60, (count, 16, 16, 1), dtype=np.uint8)
    pixels[0::2, :, ::4] += 120
    pixels[1::2, ::4] += 120
    return pixels


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Store, Store]:
    for seed, (split, count) in enumerate({"train": 80, "test": 40}.items()):
        writer = store.create(tmp_path / split, count, (16, 16, 1))
        writer.images[:] = gratings(count, seed)
        writer.target[:] = np.arange(count) % 2
        writer.id[:] = np.array([f"{n:032x}" for n in range(count)], dtype="S32")
        writer.finish()
    return Store.open(tmp_path / "train"), Store.open(tmp_path / "test")


def test_oriented_gradients_tell_stripes_down_from_stripes_across(stores: tuple[Store, Store]) -> None:
    train, test = stores
    found = baseline.compare("hog_linear", train, test, test.target, CLASSES, HOW, BASELINES)
    assert found["accuracy"] > 0.9
    assert found["majority_accuracy"] == 0.5
    assert found["trained_on"] == 80
    assert found["name"] == "hog_linear"


def test_a_network_that_is_always_right_beats_the_commonest_class_by_half(
    stores: tuple[Store, Store],
) -> None:
    train, test = stores
    found = baseline.compare("none", train, test, test.target, CLASSES, HOW, BASELINES)
    assert (found["name"], found["accuracy"], found["difference"]) == ("majority", 0.5, 0.5)
    assert found["interval"][0] > 0.3
    assert found["macro_f1"] == pytest.approx(1 / 3, abs=1e-6)


def test_a_network_that_is_always_wrong_is_beaten(stores: tuple[Store, Store]) -> None:
    train, test = stores
    found = baseline.compare("hog_linear", train, test, 1 - test.target, CLASSES, HOW, BASELINES)
    assert found["interval"][1] < 0


def test_the_same_data_give_the_same_baseline(stores: tuple[Store, Store]) -> None:
    train, test = stores
    first, again = (
        baseline.compare("hog_linear", train, test, test.target, CLASSES, HOW, BASELINES) for _ in range(2)
    )
    assert first == again


def test_no_more_training_samples_are_used_than_said() -> None:
    chosen = baseline.subset(1000, 100, seed=0)
    assert len(np.unique(chosen)) == 100
    assert (np.diff(chosen) > 0).all()
    assert (baseline.subset(50, 100, seed=0) == np.arange(50)).all()


def test_one_class_in_the_training_data_is_the_answer() -> None:
    images = np.zeros((3, 16, 16, 1), np.uint8)
    assert hog_linear(images, np.array([2, 2, 2]), images[:2]).tolist() == [2, 2]


@pytest.mark.parametrize("shape", [(28, 28, 1), (128, 96, 3), (8, 40, 3), (300, 16, 1)])
def test_pictures_of_any_size_have_features(shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    down, across, _ = hog.window(*shape[:2]) or (0, 0, 0)
    found = hog.features(images)
    assert found.shape == (5, (down - 1) * (across - 1) * 4 * hog.ORIENTATIONS)
    assert np.isfinite(found).all()


def test_pictures_too_small_for_cells_give_their_pixels() -> None:
    images = np.full((2, 6, 6, 3), 255, np.uint8)
    assert (hog.features(images) == 1.0).all()
    assert hog.features(images).shape == (2, 108)


def test_a_blank_picture_has_no_gradients() -> None:
    assert (hog.features(np.full((1, 32, 32, 3), 77, np.uint8)) == 0.0).all()


def test_a_vertical_edge_falls_into_the_first_orientation() -> None:
    image = np.zeros((1, 16, 16, 1), np.uint8)
    image[:, :, 8:] = 200
    blocks = hog.features(image).reshape(-1, hog.ORIENTATIONS)
    assert blocks[:, 0].max() > 0.4
    assert blocks[:, 1:].max() < 1e-3


def test_brightness_and_contrast_change_nothing() -> None:
    pixels = np.random.default_rng(0).integers(0, 60, (4, 32, 32, 1), dtype=np.uint8)
    np.testing.assert_allclose(hog.features(pixels), hog.features(pixels * 3 + 50), atol=1e-4)
