"""The statistics against examples worked out by hand and published ones."""

import math

import numpy as np
import pytest
from scipy import stats

from convoy.monitor import labels, statistics


def test_psi_is_that_of_a_hand_computed_example() -> None:
    """Shares 0.5, 0.3, 0.2 become 0.4, 0.4, 0.2: 0.1 ln(5/4) + 0.1 ln(4/3) + 0."""
    found = statistics.psi(np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2]))
    assert found == pytest.approx(0.1 * math.log(5 / 4) + 0.1 * math.log(4 / 3))
    assert found == pytest.approx(0.0510826, abs=1e-7)


def test_psi_is_symmetric_and_0_for_equals() -> None:
    first, second = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.3, 0.6])
    assert statistics.psi(first, second) == pytest.approx(statistics.psi(second, first))
    assert statistics.psi(first, first) == 0


def test_psi_of_counts_is_finite_where_a_bin_is_empty_and_leaves_out_bins_that_are_empty_in_both() -> None:
    found = statistics.psi_of_counts(np.array([100, 0, 0]), np.array([50, 50, 0]))
    shares = np.array([100.5, 0.5]) / 101, np.array([50.5, 50.5]) / 101
    assert found == pytest.approx(statistics.psi(*shares))


def test_bins_of_the_reference_are_equally_full_and_have_room_outside() -> None:
    edges = statistics.bin_edges(np.arange(1000.0))
    counts = np.bincount(np.searchsorted(edges, np.arange(1000.0)), minlength=len(edges) + 1)
    assert counts.tolist() == [0, *[100] * 10, 0]


@pytest.mark.parametrize("moved", [27.0, 29.0])
def test_a_measure_that_never_varied_and_now_does_is_seen(moved: float) -> None:
    """Pictures of 28 pixels, and one day of another size, larger or smaller."""
    same = statistics.of_numbers(np.full(500, 28.0), np.full(200, 28.0))
    assert (same.psi, same.p) == (0.0, 1.0)
    other = statistics.of_numbers(np.full(500, 28.0), np.full(200, moved))
    assert other.psi > 5
    assert other.p < 1e-10
    assert other.statistic == 1.0


def test_holm_is_that_of_a_hand_computed_example() -> None:
    """0.01 × 3, then 0.03 × 2, then 0.04 × 1 which may not be below the one before."""
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert statistics.holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert statistics.holm([]) == []


def test_rare_classes_are_taken_together_until_the_test_is_sound() -> None:
    counts = np.array([[1000, 500, 3, 2, 1], [90, 60, 0, 0, 0]])
    table = statistics.pooled(counts)
    assert table.sum() == counts.sum()
    assert table.shape[1] == 2
    expected = stats.contingency.expected_freq(table)
    assert expected.min() >= 5


def test_one_class_alone_differs_in_nothing() -> None:
    found = statistics.of_classes(["a"] * 50, ["a"] * 40, ["a", "b"])
    assert (found.p, found.statistic, found.psi) == (1.0, 0.0, 0.0)


def test_class_frequencies_are_compared_by_chi_square() -> None:
    """[[30, 70], [60, 40]]: chi-square 18.1818 with one degree of freedom."""
    found = statistics.of_classes(["a"] * 30 + ["b"] * 70, ["a"] * 60 + ["b"] * 40, ["a", "b"])
    assert found.statistic == pytest.approx(math.sqrt(18.181818 / 200), abs=1e-6)
    assert found.p == pytest.approx(stats.chi2.sf(18.181818, 1), rel=1e-4)


def test_the_interval_of_a_difference_is_newcombes() -> None:
    """56/70 - 48/80, table II of Newcombe (1998), method 10: 0.0524 to 0.3339."""
    low, high = labels.newcombe(56, 70, 48, 80, 0.95)
    assert low == pytest.approx(0.0524, abs=5e-5)
    assert high == pytest.approx(0.3339, abs=5e-5)
