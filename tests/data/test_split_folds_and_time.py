from typing import Any

import pandas as pd
import pytest

from convoy.data.split import assign
from convoy.errors import ConfigError, DataError
from tests.data.splittables import DEFAULT, sides, table

BY_TIME = {**DEFAULT, "strategy": "time"}


def timed(times: list[Any]) -> pd.DataFrame:
    """Cats and dogs in turn, at these times."""
    samples = table(len(times), 0, time=times)
    samples["target"] = ["cat" if row % 2 else "dog" for row in range(len(times))]
    return samples


def test_each_sample_tests_in_one_fold() -> None:
    samples = table(cats=100, dogs=60)
    tested: list[str] = []
    for fold in range(4):
        chosen, how = sides(samples, strategy="folds", folds=4, fold=fold)
        assert how["moved"] == []
        assert set(chosen.values()) == {"train", "val", "test"}
        tested += [identity for identity, side in chosen.items() if side == "test"]
    assert sorted(tested) == sorted(samples["id"])


def test_val_is_its_share_of_all_and_comes_from_the_other_folds() -> None:
    chosen, _ = sides(table(cats=3000, dogs=3000), strategy="folds", folds=5, fold=2)
    shares = pd.Series(chosen).value_counts(normalize=True)
    assert shares["test"] == pytest.approx(0.2, abs=0.02)
    assert shares["val"] == pytest.approx(0.1, abs=0.02)


def test_the_earliest_train_and_the_latest_test() -> None:
    samples = timed([f"2024-01-01T{n // 60:02}:{n % 60:02}:00" for n in range(100)])
    chosen, how = assign(samples, **BY_TIME)
    assert chosen.tolist() == ["train"] * 70 + ["val"] * 10 + ["test"] * 20
    assert how == {"strategy": "time", "carved": ["val", "test"], "moved": [], "groups": 0}


def test_equal_times_are_never_divided() -> None:
    days = [1] * 60 + [2] * 15 + [3] * 10 + [4] * 15
    samples = timed([f"2024-01-{day:02}" for day in days])
    chosen, _ = assign(samples, **BY_TIME)
    assert dict(zip(days, chosen, strict=True)) == {1: "train", 2: "train", 3: "val", 4: "test"}
    assert chosen.groupby(pd.Series(days)).nunique().max() == 1


def test_times_of_different_zones_are_compared_as_moments() -> None:
    early, middle, late = "2024-01-01T10:00:00+08:00", "2024-01-01T03:00:00Z", "2024-01-01T04:00:00"
    chosen, _ = assign(timed([late, late, middle, middle, early, early]), **BY_TIME)
    assert chosen.tolist() == ["test", "test", "val", "val", "train", "train"]


def test_a_group_counts_with_its_latest_time() -> None:
    samples = timed([f"2024-01-01T{n // 60:02}:{n % 60:02}:00" for n in range(100)])
    samples["group"] = [("g" if row in (0, 99) else None) for row in range(100)]
    chosen, how = assign(samples, **BY_TIME)
    assert chosen[0] == chosen[99] == "test"
    assert how["groups"] == 1


def test_samples_without_a_time_are_named() -> None:
    samples = timed([None, "soon", *[f"2024-01-{n + 1:02}" for n in range(30)]])
    with pytest.raises(DataError, match=r"2 samples .*0\.png \(no time\), 1\.png \('soon'\)"):
        assign(samples, **BY_TIME)


def test_data_without_times_are_a_wrong_parameter() -> None:
    with pytest.raises(ConfigError, match="time") as refused:
        assign(table(), **BY_TIME)
    assert "data.time_col" in refused.value.fix


def test_too_few_different_times_are_refused() -> None:
    with pytest.raises(DataError, match="2 different times"):
        assign(timed(["2024-01-01", "2024-01-02"] * 20), **BY_TIME)


def test_a_class_that_no_later_time_shows_is_refused_by_name() -> None:
    samples = timed([f"2024-01-01T{n // 60:02}:{n % 60:02}:00" for n in range(100)])
    samples["target"] = ["cat" if row < 75 else "dog" for row in range(100)]
    with pytest.raises(DataError, match="'cat' in test"):
        assign(samples, **BY_TIME)
