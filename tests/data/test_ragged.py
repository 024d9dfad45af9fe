import numpy as np
import pytest

from convoy.data import ragged

SAMPLES = [np.array([1, 2, 3]), np.array([], np.int64), np.array([4]), np.array([5, 6])]


def test_samples_are_taken_in_any_order_and_more_than_once() -> None:
    values, bounds = ragged.of(SAMPLES, "<i4")
    found, ends = ragged.take(values, bounds, np.array([3, 1, 0, 3]))
    assert found.tolist() == [5, 6, 1, 2, 3, 5, 6]
    assert ends.tolist() == [0, 2, 2, 5, 7]


def test_what_a_mask_leaves_stays_with_its_sample() -> None:
    values, bounds = ragged.of(SAMPLES, "<i4")
    found, ends = ragged.keep(values, bounds, values % 2 == 0)
    assert found.tolist() == [2, 4, 6]
    assert ends.tolist() == [0, 1, 1, 2, 3]


@pytest.mark.parametrize("width", [3, 5])
def test_padding_stands_behind(width: int) -> None:
    found = ragged.padded(*ragged.of(SAMPLES, "<i4"), width)
    assert found.shape == (4, width)
    assert found[:, :3].tolist() == [[1, 2, 3], [0, 0, 0], [4, 0, 0], [5, 6, 0]]


def test_there_may_be_nothing() -> None:
    values, bounds = ragged.of([], "<i4")
    assert ragged.padded(values, bounds, 4).shape == (0, 4)
