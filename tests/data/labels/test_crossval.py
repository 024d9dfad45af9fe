import numpy as np
import pytest

from convoy.data.labels import crossval, embed, folds, ranking
from tests.data.labels.toys import flipped, stripes, truth


def judged(codes: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    fold = folds.assign(np.arange(len(codes)), codes, 0)
    return crossval.probabilities(embed.features(pictures, 0), codes, fold, 3, 0)


def test_features_hold_a_variance_of_one_in_all_and_at_most_128_numbers() -> None:
    found = embed.features(stripes(truth(90)), 0)
    assert found.shape[0] == 90
    assert found.shape[1] <= 128
    assert found.var(axis=0).sum() == pytest.approx(1.0, abs=1e-3)


def test_a_colour_alone_is_told_apart() -> None:
    pictures = np.zeros((60, 32, 32, 3), np.uint8)
    pictures[0::2, :, :, 0], pictures[1::2, :, :, 2] = 200, 200
    codes = np.arange(60) % 2
    fold = folds.assign(np.arange(60), codes, 0)
    found = crossval.probabilities(embed.features(pictures, 0), codes, fold, 2, 0)
    assert (found.argmax(axis=1) == codes).all()


def test_probabilities_name_the_truth_although_labels_are_wrong() -> None:
    codes = truth(150)
    rows = [3, 40, 77, 101, 140]
    found = judged(flipped(codes, rows), stripes(codes))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found.argmax(axis=1) == codes).mean() > 0.97


def test_a_sample_does_not_learn_from_its_own_label() -> None:
    """Noise has nothing to be learned from: the given labels must not come back."""
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
    codes = random.permutation(truth(300))
    assert (judged(codes, pictures).argmax(axis=1) == codes).mean() < 0.5


def test_more_samples_than_centres_and_learners_are_all_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crossval, "_MOST_CENTRES", 40)
    monkeypatch.setattr(crossval, "_MOST_LEARNERS", 100)
    monkeypatch.setattr(embed, "_MOST_FITTED", 80)
    codes = truth(240)
    found = judged(codes, stripes(codes))
    assert found.shape == (240, 3)
    assert (found.argmax(axis=1) == codes).mean() > 0.97


@pytest.mark.parametrize("value", [0, 255])
def test_pictures_that_are_all_the_same_give_the_shares_of_the_classes(value: int) -> None:
    codes = truth(60)
    found = judged(codes, np.full((60, 32, 32, 3), value, np.uint8))
    np.testing.assert_allclose(found, 1 / 3, atol=0.05)
    assert not ranking.doubted(codes, found).any()


def test_flipped_labels_are_doubted_and_sound_ones_are_not() -> None:
    codes = truth(150)
    rows = [3, 40, 77, 101, 140]
    wrong = flipped(codes, rows)
    found = judged(wrong, stripes(codes))
    assert set(np.flatnonzero(ranking.doubted(wrong, found))) == set(rows)
    assert set(np.argsort(ranking.quality(wrong, found))[:5]) == set(rows)
    assert not ranking.doubted(codes, judged(codes, stripes(codes))).any()


def test_a_label_that_is_likely_enough_is_not_doubted() -> None:
    codes = np.array([0, 1] * 20)
    probabilities = np.where(np.eye(2)[codes] == 1, 0.9, 0.1)
    probabilities[0] = [0.3, 0.7]
    assert not ranking.doubted(codes, probabilities).any()
    probabilities[0] = [0.1, 0.9]
    assert np.flatnonzero(ranking.doubted(codes, probabilities)).tolist() == [0]
