from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convoy.data.split import assign
from convoy.errors import ConfigError, DataError

CLASSES = ["cat", "dog"]
DEFAULT: dict[str, Any] = {"strategy": "auto", "val": 0.1, "test": 0.2, "seed": 0, "classes": CLASSES}


def table(cats: int = 50, dogs: int = 30, split: str | None = None) -> pd.DataFrame:
    targets = ["cat"] * cats + ["dog"] * dogs
    rows = range(len(targets))
    return pd.DataFrame(
        {
            "id": [f"{row:032x}" for row in rows],
            "path": [f"{row}.png" for row in rows],
            "target": targets,
            "split": pd.Series([split] * len(targets), dtype=object),
        }
    )


def counts(samples: pd.DataFrame, chosen: pd.Series) -> dict[tuple[str, str], int]:
    return {key: int(n) for key, n in chosen.groupby([samples["target"], chosen]).size().items()}


def test_each_class_is_divided_by_the_fractions() -> None:
    samples = table()
    chosen, how = assign(samples, **DEFAULT)
    assert counts(samples, chosen) == {
        ("cat", "train"): 35,
        ("cat", "val"): 5,
        ("cat", "test"): 10,
        ("dog", "train"): 21,
        ("dog", "val"): 3,
        ("dog", "test"): 6,
    }
    assert how == {"strategy": "stratified", "carved": ["val", "test"]}


def test_the_division_does_not_depend_on_the_order_of_rows() -> None:
    samples = table()
    shuffled = samples.sample(frac=1, random_state=1)
    first, _ = assign(samples, **DEFAULT)
    second, _ = assign(shuffled, **DEFAULT)
    pd.testing.assert_series_equal(first, second.sort_index(), check_names=False)


def test_another_seed_divides_otherwise() -> None:
    first, _ = assign(table(), **DEFAULT)
    second, _ = assign(table(), **{**DEFAULT, "seed": 1})
    assert not first.equals(second)


def test_a_new_sample_moves_hardly_any_other() -> None:
    before, _ = assign(table(cats=50), **DEFAULT)
    grown = table(cats=50)
    extra = grown.iloc[[0]].assign(id="f" * 32, path="new.png")
    after, _ = assign(pd.concat([grown, extra], ignore_index=True), **DEFAULT)
    assert int((after.iloc[:80] != before).sum()) <= 2


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(st.integers(3, 40), st.integers(3, 40)),
    val=st.floats(0.01, 0.44),
    test=st.floats(0.01, 0.44),
    seed=st.integers(0, 5),
)
def test_every_class_is_in_every_split_and_every_sample_in_one(
    sizes: tuple[int, int], val: float, test: float, seed: int
) -> None:
    samples = table(*sizes)
    chosen, _ = assign(samples, **{**DEFAULT, "val": val, "test": test, "seed": seed})
    assert set(chosen) <= {"train", "val", "test"}
    assert len(counts(samples, chosen)) == 6


def test_a_class_too_small_to_divide_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="'dog' has 2"):
        assign(table(dogs=2), **DEFAULT)


def given_splits() -> pd.DataFrame:
    samples = table(cats=30, dogs=30)
    samples["split"] = np.resize(np.array(["train", "train", "val", "test"], dtype=object), 60)
    return samples


@pytest.mark.parametrize("strategy", ["auto", "predefined"])
def test_given_splits_are_taken_as_they_are(strategy: str) -> None:
    samples = given_splits()
    chosen, how = assign(samples, **{**DEFAULT, "strategy": strategy})
    assert chosen.tolist() == samples["split"].tolist()
    assert how == {"strategy": "predefined", "carved": []}


def test_stratified_ignores_given_splits() -> None:
    _, how = assign(given_splits(), **{**DEFAULT, "strategy": "stratified"})
    assert how["strategy"] == "stratified"


@pytest.mark.parametrize(("missing", "taken"), [("val", 0.1), ("test", 0.2)])
def test_a_missing_side_is_taken_from_the_training_part_alone(missing: str, taken: float) -> None:
    samples = given_splits()
    samples.loc[samples["split"] == missing, "split"] = "train"
    chosen, how = assign(samples, **DEFAULT)
    kept = samples["split"] != "train"
    assert chosen[kept].tolist() == samples.loc[kept, "split"].tolist()
    trained = int((samples["split"] == "train").sum())
    assert int((chosen == missing).sum()) == pytest.approx(trained * taken, abs=1.5)
    assert how["carved"] == [missing]


def test_predefined_without_any_split_is_a_wrong_parameter() -> None:
    with pytest.raises(ConfigError, match="predefined"):
        assign(table(), **{**DEFAULT, "strategy": "predefined"})


def test_a_class_missing_in_a_given_split_is_refused_by_name() -> None:
    samples = given_splits()
    samples.loc[(samples["target"] == "dog") & (samples["split"] == "test"), "split"] = "train"
    with pytest.raises(DataError, match="'dog' in test"):
        assign(samples, **DEFAULT)


def test_data_without_a_training_part_are_refused() -> None:
    with pytest.raises(DataError, match="'cat' in train"):
        assign(table(split="test"), **DEFAULT)


def test_samples_without_a_split_beside_others_are_refused() -> None:
    samples = given_splits()
    samples.loc[5, "split"] = None
    with pytest.raises(DataError, match="1 samples belong to no split"):
        assign(samples, **DEFAULT)
