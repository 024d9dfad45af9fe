import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convoy.data.split import assign
from convoy.errors import ConfigError, DataError
from tests.data.splittables import DEFAULT, counts, identity, sides, table

GROUPED = ["grouped", "stratified_grouped", "folds"]


def grouped(cats: int = 60, dogs: int = 60, size: int = 4) -> pd.DataFrame:
    return table(cats, dogs, group=[f"p{row // size}" for row in range(cats + dogs)])


@pytest.mark.parametrize("strategy", GROUPED)
@settings(max_examples=30, deadline=None)
@given(
    links=st.lists(st.tuples(st.integers(0, 119), st.integers(0, 119)), max_size=12), seed=st.integers(0, 9)
)
def test_neither_groups_nor_twins_straddle(strategy: str, links: list[tuple[int, int]], seed: int) -> None:
    samples = grouped()
    twins = pd.Series([None] * 120, dtype=object)
    for number, (one, other) in enumerate(links):
        twins[one] = twins[other] = f"t{number}"
    samples["twins"] = twins
    try:
        chosen, _ = assign(samples, **{**DEFAULT, "strategy": strategy, "seed": seed})
    except DataError:
        return
    assert chosen.groupby(samples["group"]).nunique().max() == 1
    assert (chosen.groupby(samples["twins"]).nunique() <= 1).all()


def test_twins_stay_together_without_any_group() -> None:
    twins = [f"t{row // 2}" if row < 60 else None for row in range(80)]
    chosen, how = assign(table(twins=twins), **DEFAULT)
    assert how["strategy"] == "stratified"
    assert how["groups"] == 30
    assert (chosen.groupby(pd.Series(twins)).nunique() == 1).all()


def test_the_same_content_twice_stays_together() -> None:
    samples = table()
    samples["id"] = [identity(row // 2) for row in range(80)]
    chosen, how = assign(samples, **DEFAULT)
    assert how["groups"] == 40
    assert (chosen.groupby(samples["id"]).nunique() == 1).all()


def test_twins_connect_two_groups() -> None:
    samples = grouped()
    alone, _ = sides(samples, strategy="grouped")
    apart = next(row for row in range(4, 60) if alone[identity(row)] != alone[identity(0)])
    samples["twins"] = [("t" if row in (0, apart) else None) for row in range(120)]
    joined, how = sides(samples, strategy="grouped")
    both = [row for row in range(120) if row // 4 in (0, apart // 4)]
    assert len({joined[identity(row)] for row in both}) == 1
    assert how["groups"] == 29


def test_a_new_twin_of_a_grouped_sample_moves_no_group() -> None:
    samples = grouped()
    before, _ = sides(samples, strategy="grouped")
    for number in range(1000, 1020):
        new = samples.iloc[[0]].assign(id=identity(number), path="new.png", group=None, twins="t")
        grown = pd.concat([samples.assign(twins=["t"] + [None] * 119), new], ignore_index=True)
        after, how = sides(grown, strategy="grouped")
        named = {entry["id"] for entry in how["moved"]}
        assert [i for i in before if before[i] != after[i] and i not in named] == []


def test_auto_takes_groups_where_a_sample_has_one() -> None:
    assert sides(grouped())[1]["strategy"] == "grouped"
    assert sides(table(group=[None] * 80))[1]["strategy"] == "stratified"
    assert sides(grouped().assign(split="train"))[1]["strategy"] == "predefined"


@pytest.mark.parametrize("strategy", ["grouped", "stratified_grouped"])
def test_groups_that_the_data_do_not_name_are_a_wrong_parameter(strategy: str) -> None:
    with pytest.raises(ConfigError, match=strategy) as refused:
        assign(table(), **{**DEFAULT, "strategy": strategy})
    assert "data.group_col" in refused.value.fix


@pytest.mark.parametrize("strategy", GROUPED)
def test_a_class_in_too_few_groups_is_refused_by_name(strategy: str) -> None:
    samples = grouped()
    samples.loc[samples["target"] == "dog", "group"] = np.resize(np.array(["a", "b"], object), 60)
    with pytest.raises(DataError, match="'dog' has 60 samples in 2 groups"):
        assign(samples, **{**DEFAULT, "strategy": strategy})


def test_stratified_grouped_comes_nearer_to_the_shares_than_chance() -> None:
    random = np.random.default_rng(0)
    sizes = random.integers(1, 9, 60)
    names = [f"p{n}" for n, size in enumerate(sizes) for _ in range(size)]
    half = len(names) // 2
    samples = table(half, len(names) - half, group=names)
    off = {}
    for strategy in ("grouped", "stratified_grouped"):
        worst = []
        for seed in range(10):
            chosen, _ = assign(samples, **{**DEFAULT, "strategy": strategy, "seed": seed})
            found = counts(samples, chosen)
            worst.append(
                max(
                    abs(found[name, side] / (samples["target"] == name).sum() - share)
                    for name in ("cat", "dog")
                    for side, share in (("train", 0.7), ("val", 0.1), ("test", 0.2))
                )
            )
        off[strategy] = float(np.mean(worst))
    assert off["stratified_grouped"] < 0.02
    assert off["stratified_grouped"] < off["grouped"] / 3


def test_stratified_grouped_works_without_classes() -> None:
    samples = grouped().assign(target=None)
    chosen, _ = assign(samples, **{**DEFAULT, "strategy": "stratified_grouped", "classes": []})
    assert chosen.value_counts().to_dict() == {"train": 84, "test": 24, "val": 12}
