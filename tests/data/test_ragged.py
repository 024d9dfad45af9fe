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


@pytest.mark.parametrize("length", [3, 300], ids=["short samples", "long samples"])
def test_samples_of_any_length_are_taken_and_padded_as_by_hand(length: int) -> None:
    random = np.random.default_rng(0)
    samples = [random.random((int(n), 2)) for n in [length, 0, length + 5, 1, 2 * length]]
    chosen = np.array([4, 1, 0, 4, 3])
    found, ends = ragged.take(*ragged.of(samples, "<f8"), chosen)
    wanted = [samples[number] for number in chosen]
    assert np.array_equal(found, np.concatenate(wanted))
    assert np.diff(ends).tolist() == [len(sample) for sample in wanted]
    rows = ragged.padded(found, ends, 2 * length + 1, np.nan)
    for row, sample in zip(rows, wanted, strict=True):
        assert np.array_equal(row[: len(sample)], sample)
        assert np.isnan(row[len(sample) :]).all()


def test_no_samples_are_taken() -> None:
    found, ends = ragged.take(*ragged.of(SAMPLES, "<i4"), np.array([], np.int64))
    assert len(found) == 0
    assert ends.tolist() == [0]
