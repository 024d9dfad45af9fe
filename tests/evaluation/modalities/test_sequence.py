"""Sequences in reports: the baselines, and the lines that are drawn."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from convoy.data import ragged, store
from convoy.data.store import Store
from convoy.evaluation.modalities.sequence import baselines, lines


def made(folder: Path, samples: list[NDArray[np.float64]], target: list[int]) -> Store:
    folder.mkdir()
    fixed = {"target": np.array(target), "id": np.array([f"{n:032d}" for n in range(len(target))], "S32")}
    store.finish(folder, [], None, fixed, {"signal": ragged.of(samples, "<f4")})
    return Store.open(folder)


def bumps(places: list[int], length: int = 40) -> list[NDArray[np.float64]]:
    """(length, 1) with a bump at each place."""
    return [np.exp(-0.5 * ((np.arange(length) - place) / 2.0) ** 2)[:, None] for place in places]


@pytest.mark.parametrize("name", baselines.BASELINES)
def test_a_baseline_answers_sequences_that_are_like_those_it_knows(name: str, tmp_path: Path) -> None:
    training = made(tmp_path / "a", [*bumps([8, 9, 10]), *bumps([30, 31], 50)], [0, 0, 0, 1, 1])
    test = made(tmp_path / "b", [*bumps([9]), *bumps([30], 50), *bumps([10], 44)], [0, 1, 0])
    answers = baselines.BASELINES[name](training, np.arange(5), test)
    assert answers.tolist() == [0, 1, 0]


def test_dtw_is_that_of_the_definition() -> None:
    random = np.random.default_rng(0)
    asked, known = random.normal(size=(3, 17, 2)), random.normal(size=(4, 17, 2))
    band = 2  # a tenth of 17, rounded

    def plain(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        found = np.full((18, 18), np.inf)
        found[0, 0] = 0
        for row in range(17):
            for column in range(max(0, row - band), min(17, row + band + 1)):
                before = min(found[row, column], found[row, column + 1], found[row + 1, column])
                found[row + 1, column + 1] = ((one[row] - other[column]) ** 2).sum() + before
        return float(found[17, 17])

    expected = [[plain(one, other) for other in known] for one in asked]
    np.testing.assert_allclose(baselines._dtw(asked, known), expected)


def test_a_line_has_a_point_a_step_and_a_band_a_marked_stretch() -> None:
    marked = np.zeros(40)
    marked[10:20] = 1.0
    html = str(lines.figure(np.concatenate([bumps([9])[0]] * 2, axis=1), marked).html)
    assert html.count("<polyline") == 2
    assert html.split('points="')[1].split('"')[0].count(",") == 40
    assert html.count("<rect") == 1
    assert 'fill-opacity="0.6"' in html


def test_long_sequences_keep_their_peaks_and_gaps_are_left_out() -> None:
    values = np.zeros((5000, 1))
    values[1234] = 9.0
    values[3000:3100] = np.nan
    [places] = lines._places(values, 200, 100)
    assert len(places) <= 440
    assert places[:, 1].min() == pytest.approx(4)
    assert np.isfinite(places).all()


def test_pictures_of_sequences_are_drawn_alike_each_time() -> None:
    first, second = (lines.pictures([*bumps([9]), np.ones((5, 3))]) for _ in range(2))
    assert first.shape == (2, 240, 240, 3)
    np.testing.assert_array_equal(first, second)
    assert (first[0] < 128).any()
    assert lines.pictures([]).shape == (0, 240, 240, 3)
