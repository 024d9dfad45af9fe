import numpy as np
import pytest

from convoy.data.labels import folds


def links(*pairs: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    joined = np.array(pairs, np.int64).reshape(-1, 2)
    return joined[:, 0], joined[:, 1]


def test_what_is_linked_over_others_is_one_unit() -> None:
    found = folds.units(6, [links((0, 2)), links((2, 4))])
    assert found[0] == found[2] == found[4]
    assert len(set(found.tolist())) == 4


def test_equal_values_are_linked_and_nothing_is_like_none() -> None:
    unit = folds.units(6, [folds.equal(["a", None, "b", "a", None, "a"])])
    assert unit[0] == unit[3] == unit[5]
    assert len(set(unit.tolist())) == 4


def test_units_of_a_class_are_counted_once() -> None:
    found = folds.per_class(np.array([0, 0, 1, 2, 2]), np.array([0, 0, 0, 1, 1]), 3)
    assert found.tolist() == [2, 1, 0]


@pytest.mark.parametrize("seed", range(3))
def test_single_samples_of_each_class_are_spread_evenly(seed: int) -> None:
    codes = np.array([0] * 23 + [1] * 10 + [2] * 5)
    fold = folds.assign(np.arange(38), codes, seed)
    for code in range(3):
        counts = np.bincount(fold[codes == code], minlength=folds.FOLDS)
        assert counts.max() - counts.min() <= 1


def test_units_stand_in_one_fold_and_singles_even_out_what_they_leave() -> None:
    unit = np.array([0] * 6 + [1] * 3 + list(range(2, 23)))
    codes = np.zeros(30, np.int64)
    fold = folds.assign(unit, codes, 0)
    assert len(set(fold[:6])) == len(set(fold[6:9])) == 1
    assert np.bincount(fold).tolist() == [6] * 5


def test_few_large_units_of_a_class_stand_in_different_folds() -> None:
    codes = np.repeat([0, 1], 50)
    unit = np.repeat(np.arange(10), 10)
    fold = folds.assign(unit, codes, 0)
    for code in range(2):
        assert set(fold[codes == code]) == set(range(5))


def test_the_seed_alone_shuffles() -> None:
    codes = np.zeros(100, np.int64)
    first = folds.assign(np.arange(100), codes, 1)
    np.testing.assert_array_equal(first, folds.assign(np.arange(100), codes, 1))
    assert (first != folds.assign(np.arange(100), codes, 2)).any()
