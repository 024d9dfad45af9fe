"""Rows that are changed on purpose."""

from typing import Any

import numpy as np
import pytest

from convoy.data.modalities.table import batching
from convoy.data.modalities.table.augmenting import Policy
from convoy.data.modalities.table.cells import MISSING, UNKNOWN
from convoy.errors import ConfigError

COUNT = 2000


def batch() -> dict[str, Any]:
    random = np.random.default_rng(0)
    cells = np.column_stack(
        [random.normal(10, 2, COUNT), random.integers(0, 2, COUNT), random.integers(2, 6, (COUNT, 2))]
    )
    cells[:5, 0] = np.nan
    fields = batching.fields(cells, 2)
    named = {name: part for name, (part, _) in fields.items()}
    bounds = {f"{name}.offsets": offsets for name, (_, offsets) in fields.items()}
    return {**named, **bounds, "target": np.zeros(COUNT, np.int64)}


def changed(*transforms: dict[str, Any], seed: int = 1) -> tuple[Any, Any]:
    before = batch()
    return batching.cells(before), batching.cells(Policy(transforms)(before, seed))


def test_noise_is_of_the_columns_own_spread_and_leaves_gaps_booleans_and_categories() -> None:
    before, after = changed({"name": "noise", "std": 0.5})
    moved = (after - before)[5:, 0]
    assert moved.std() == pytest.approx(1.0, abs=0.1)
    assert np.isnan(after[:5, 0]).all()
    np.testing.assert_array_equal(before[:, 1:], after[:, 1:])


@pytest.mark.parametrize(("name", "value"), [("missing", MISSING), ("unknown", UNKNOWN)])
def test_a_share_of_the_cells_is_hidden(name: str, value: int) -> None:
    before, after = changed({"name": name, "rate": 0.3})
    assert (after[:, 2:] == value).mean() == pytest.approx(0.3, abs=0.03)
    gaps = np.isnan(after[:, :2]).mean() - np.isnan(before[:, :2]).mean()
    assert gaps == pytest.approx(0.3 if name == "missing" else 0.0, abs=0.03)


def test_swapped_cells_are_those_of_other_rows() -> None:
    before, after = changed({"name": "swap", "rate": 0.4})
    assert (before[5:, 0] != after[5:, 0]).mean() == pytest.approx(0.4, abs=0.05)
    known = before[~np.isnan(before[:, 0]), 0]
    assert np.isin(after[~np.isnan(after[:, 0]), 0], known).all()


def test_p_is_the_share_of_the_rows_and_the_seed_decides() -> None:
    before, after = changed({"name": "missing", "rate": 1.0, "p": 0.25})
    assert (after[:, 2] == MISSING).mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_array_equal(after, changed({"name": "missing", "rate": 1.0, "p": 0.25})[1])
    other = changed({"name": "missing", "rate": 1.0, "p": 0.25}, seed=2)[1]
    assert (other[:, 2] != after[:, 2]).any()
    assert len(before) == COUNT


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"name": "nose"}, "did you mean 'noise'"),
        ({"name": "noise", "rate": 0.1}, "noise has no argument 'rate'"),
        ({"name": "swap", "rate": 2}, "rate is 2, no number"),
        ({"name": "swap", "p": True}, "p is True, no number"),
    ],
)
def test_a_wrong_step_is_refused_with_the_reason(step: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Policy([step])
