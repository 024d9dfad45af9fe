import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convoy.data.split import assign
from convoy.errors import ConfigError, DataError
from tests.data.splittables import DEFAULT, counts, given_splits, identity, sides, table


def test_each_class_is_divided_by_the_fractions_within_chance() -> None:
    samples = table(cats=4000, dogs=2000)
    chosen, how = assign(samples, **DEFAULT)
    found = counts(samples, chosen)
    for name, total in (("cat", 4000), ("dog", 2000)):
        for side, share in (("train", 0.7), ("val", 0.1), ("test", 0.2)):
            assert abs(found[name, side] - total * share) < 4 * math.sqrt(total * share * (1 - share))
    assert how == {"strategy": "stratified", "carved": ["val", "test"], "moved": [], "groups": 0}


@pytest.mark.parametrize("strategy", ["stratified", "grouped", "stratified_grouped", "folds", "time"])
def test_the_division_does_not_depend_on_the_order_of_rows(strategy: str) -> None:
    years = [str(1950 + row * 37 % 80) for row in range(80)]
    samples = table(group=[f"g{row // 2}" for row in range(80)], time=years)
    settled = {**DEFAULT, "strategy": strategy, "val": 0.25}
    first, how = assign(samples, **settled)
    second, again = assign(samples.sample(frac=1, random_state=1), **settled)
    pd.testing.assert_series_equal(first.sort_index(), second.sort_index(), check_names=False)
    assert how == again


def test_another_seed_divides_otherwise() -> None:
    assert sides(table())[0] != sides(table(), seed=1)[0]


@pytest.mark.parametrize("strategy", ["stratified", "grouped", "folds", "predefined"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_growth_moves_no_sample_but_those_that_are_named(strategy: str, data: st.DataObject) -> None:
    cats, dogs = data.draw(st.integers(9, 60)), data.draw(st.integers(9, 60))
    whole = table(cats, dogs, split="train" if strategy == "predefined" else None)
    whole["group"] = [f"g{n % (len(whole) // 3)}" for n in range(len(whole))]
    kept = data.draw(st.sets(st.integers(0, len(whole) - 1), max_size=len(whole) // 3))
    part = whole.drop(index=sorted(kept))
    how = {"strategy": strategy, "seed": data.draw(st.integers(0, 20))}
    try:
        before, first = sides(part, **how)
        after, second = sides(whole, **how)
    except DataError:
        return  # too few of a class, which other tests look at
    named = {entry["id"] for entry in [*first["moved"], *second["moved"]]}
    assert [i for i in before if before[i] != after[i] and i not in named] == []


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
    chosen, how = assign(samples, **{**DEFAULT, "val": val, "test": test, "seed": seed})
    assert set(chosen) <= {"train", "val", "test"}
    assert len(counts(samples, chosen)) == 6
    by_id = dict(zip(samples["id"], chosen, strict=True))
    assert all(by_id[entry["id"]] == entry["to"] != entry["from"] for entry in how["moved"])


def test_a_class_that_chance_left_out_gets_the_sample_nearest_to_the_threshold() -> None:
    moved = []
    for seed in range(60):
        chosen, how = sides(table(cats=6, dogs=200), seed=seed)
        assert {chosen[identity(row)] for row in range(6)} == {"train", "val", "test"}
        moved += how["moved"]
    assert moved, "60 times 6 cats, and val never lacked one: the test is no test"
    assert {entry["id"] for entry in moved} <= {identity(row) for row in range(6)}


def test_a_class_too_small_to_divide_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="'dog' has 2"):
        assign(table(dogs=2), **DEFAULT)


def test_at_most_twenty_classes_are_named() -> None:
    names = [f"class {n:03}" for n in range(100)]
    samples = table(cats=100, dogs=0)
    samples["target"] = names
    with pytest.raises(DataError, match=r"class 019.* and 80 more") as refused:
        assign(samples, **{**DEFAULT, "classes": names})
    assert "class 020" not in str(refused.value)


def test_a_task_without_classes_is_one_stratum() -> None:
    samples = table()
    samples["target"] = None
    chosen, _ = assign(samples, **{**DEFAULT, "classes": []})
    assert chosen.tolist() == assign(table(), **DEFAULT)[0].tolist()
    with pytest.raises(DataError, match="there are 2 samples"):
        assign(samples.iloc[:2], **{**DEFAULT, "classes": []})


@pytest.mark.parametrize("strategy", ["auto", "predefined"])
def test_given_splits_are_taken_as_they_are(strategy: str) -> None:
    samples = given_splits()
    chosen, how = assign(samples, **{**DEFAULT, "strategy": strategy})
    assert chosen.tolist() == samples["split"].tolist()
    assert how == {"strategy": "predefined", "carved": [], "moved": [], "groups": 0}


def test_stratified_ignores_given_splits() -> None:
    _, how = assign(given_splits(), **{**DEFAULT, "strategy": "stratified"})
    assert how["strategy"] == "stratified"


@pytest.mark.parametrize(("missing", "taken"), [("val", 0.1), ("test", 0.2)])
def test_a_missing_side_is_taken_from_the_training_part_alone(missing: str, taken: float) -> None:
    samples = pd.concat([given_splits()] * 20, ignore_index=True)
    samples["id"] = [identity(row) for row in range(len(samples))]
    samples.loc[samples["split"] == missing, "split"] = "train"
    chosen, how = assign(samples, **DEFAULT)
    kept = samples["split"] != "train"
    assert chosen[kept].tolist() == samples.loc[kept, "split"].tolist()
    trained = int((samples["split"] == "train").sum())
    spread = math.sqrt(trained * taken * (1 - taken))
    assert abs(int((chosen == missing).sum()) - trained * taken) < 4 * spread
    assert how["carved"] == [missing]


def test_what_is_taken_from_a_given_training_part_respects_its_groups() -> None:
    samples = table(200, 200, split="train", group=[f"g{row // 8}" for row in range(400)])
    chosen, how = assign(samples, **DEFAULT)
    assert how["strategy"] == "predefined"
    assert how["carved"] == ["val", "test"]
    assert how["groups"] == 50
    assert chosen.groupby(samples["group"]).nunique().max() == 1


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
    with pytest.raises(DataError, match=r"1 samples belong to no split.*5\.png"):
        assign(samples, **DEFAULT)
