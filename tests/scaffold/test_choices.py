import pandas as pd
import pytest

from convoy.scaffold.choices import SIDES, choose, mirrors
from convoy.scaffold.survey import Survey


def seen(counts: dict[str, int], side: int = 100, grey: bool = False, given: str = "none") -> Survey:
    table = pd.DataFrame(0, index=list(counts), columns=["train", "val", "test", "none"])
    table[given] = list(counts.values())
    table = table.assign(all=table.sum(axis=1))
    return Survey(
        sum(counts.values()), table, side, square=False, grey=grey, unreadable=(), unlabelled=0,
        given=given != "none",
    )  # fmt: skip


def test_small_pictures_keep_their_size_and_large_ones_get_one_that_can_be_paid() -> None:
    assert choose(seen({"a1": 700, "b1": 700}, side=28)).side == 28
    assert choose(seen({"a1": 700, "b1": 700}, side=400)).side == 128
    assert choose(seen({"a1": 50_000, "b1": 50_000}, side=400)).side < 128
    assert choose(seen({"a1": 700, "b1": 700}, side=9)).side == min(SIDES)


@pytest.mark.parametrize("count", [20, 300, 2_000, 30_000, 200_000])
@pytest.mark.parametrize("side", [28, 100, 500])
def test_a_first_run_takes_minutes(count: int, side: int) -> None:
    found = choose(seen({"cat": count, "dog": count}, side=side))
    assert found.epochs >= 2
    training = found.epochs * count * 2 * 0.7 * found.side**2 / 1.2e6
    assert training <= 3600 or found.side == 28
    assert found.minutes < 10 or count >= 30_000


def test_few_pictures_are_seen_more_often_in_smaller_batches() -> None:
    few, many = choose(seen({"cat": 30, "dog": 30})), choose(seen({"cat": 5_000, "dog": 5_000}))
    assert few.epochs > many.epochs
    assert few.batch_size < many.batch_size
    assert few.lr < many.lr


def test_the_minimum_lies_above_always_naming_the_largest_class() -> None:
    even = choose(seen({"cat": 500, "dog": 500}))
    assert (even.metric, even.minimum) == ("accuracy", 0.6)
    uneven = choose(seen({"ok": 950, "broken": 50}))
    assert uneven.metric == "macro_f1"
    assert 0.95 * 2 / 1.95 / 2 < uneven.minimum < 0.7


def test_a_small_test_split_bounds_no_calibration_error() -> None:
    assert choose(seen({"cat": 100, "dog": 100})).max_ece is None
    assert choose(seen({"cat": 1_000, "dog": 1_000})).max_ece == 0.15
    assert choose(seen({"cat": 2_000, "dog": 2_000}, given="train")).max_ece == 0.15


def test_only_things_are_mirrored() -> None:
    assert mirrors(["cat", "dog"])
    assert mirrors(["猫", "狗"])
    for names in (
        ["0", "1"],
        ["A", "B"],
        ["turn left", "turn right"],
        ["左转", "直行"],
        ["10", "11"],
        ["sign 1", "sign 2"],
        ["三", "四"],
    ):
        assert not mirrors(names), names
    assert choose(seen({"cat": 100, "dog": 100})).mirror
    assert not choose(seen({"cat": 100, "dog": 100}, grey=True)).mirror
    assert not choose(seen({"3": 100, "8": 100})).mirror


def test_small_grey_pictures_are_taken_for_digits() -> None:
    assert choose(seen({"3": 100, "8": 100}, grey=True, side=28)).preset == "digits"
    assert choose(seen({"3": 100, "8": 100}, grey=True, side=100)).preset is None
    assert choose(seen({"3": 100, "8": 100}, side=28)).preset is None
