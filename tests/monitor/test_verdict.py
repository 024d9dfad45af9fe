"""Whether drift is called where there is some, and is not where there is none: on real digits."""

import functools

import numpy as np
import pandas as pd
import pytest

from convoy.config.monitor import MonitorConfig
from convoy.monitor import labels
from convoy.monitor.verdict import Verdict, judge
from tests.monitor import digits

SEEDS = 200
DEFAULT = MonitorConfig()


@functools.cache
def population(change: float = 1.0) -> pd.DataFrame:
    return digits.answered(digits.pictures(change)[0])


def draw(seed: int, size: int, change: float = 1.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A reference and a batch of other digits, both by chance."""
    order = np.random.default_rng(seed).permutation(len(population()))
    reference = population().iloc[order[: digits.HELD_OUT]]
    return reference, population(change).iloc[order[digits.HELD_OUT : digits.HELD_OUT + size]]


def look(reference: pd.DataFrame, batch: pd.DataFrame, config: MonitorConfig = DEFAULT) -> Verdict:
    return judge(digits.subject(reference), batch, {}, config)


def test_without_drift_false_alarms_are_as_rare_as_they_are_said_to_be() -> None:
    """200 batches. The tests alone at 5 % over all measures: at most 20 (binomial, 0.1 %), and not never, for
    they are no dummies. The default, which also wants a large difference at 1 %: at most 2."""
    verdicts = [look(*draw(seed, 150), MonitorConfig(alpha=0.05, min_psi=0.0)) for seed in range(SEEDS)]
    assert 2 <= sum(verdict.status == "drifted" for verdict in verdicts) <= 20
    default = [
        any(m.adjusted < DEFAULT.alpha and m.psi >= DEFAULT.min_psi for m in verdict.measures)
        for verdict in verdicts
    ]
    assert sum(default) <= 2


@pytest.mark.parametrize("change", [0.8, 0.9])
def test_darker_pictures_are_found_in_every_batch(change: float) -> None:
    for seed in range(20):
        verdict = look(*draw(seed, 300, change))
        assert verdict.status == "drifted"
        assert {"sharpness"} <= {measure.name for measure in verdict.drifted}


def test_another_mix_of_classes_is_found_in_every_batch() -> None:
    """Three of the ten digits no longer come."""
    target = digits.pictures()[1]
    for seed in range(20):
        reference, batch = draw(seed, 400)
        batch = batch[~np.isin(target[batch.index], (0, 1, 2))].head(200)
        verdict = look(reference, batch)
        assert verdict.status == "drifted"
        assert "prediction" in {measure.name for measure in verdict.drifted}
        assert "other classes are predicted" in verdict.reason


def test_a_difference_that_is_certain_and_harmless_is_no_drift() -> None:
    """In 60,000 pictures, 1 % less light is beyond all chance."""
    reference, _ = draw(0, 100)
    rows = np.random.default_rng(5).integers(0, len(population()), 60_000)
    batch = population(0.99).iloc[rows]
    verdict = look(population(), batch)
    assert min(measure.adjusted for measure in verdict.measures) < 1e-3
    assert verdict.status == "ok"
    assert len(reference) == digits.HELD_OUT


def test_few_predictions_are_not_judged() -> None:
    reference, batch = draw(0, 99, 0.3)
    verdict = look(reference, batch)
    assert verdict.status == "too few"
    assert verdict.measures == []
    assert "99 predictions are kept, 100 are needed" in verdict.reason


def test_nothing_kept_is_too_few() -> None:
    reference, batch = draw(0, 0)
    verdict = look(reference, batch)
    assert (verdict.status, verdict.since) == ("too few", None)


def test_what_never_varies_takes_no_part() -> None:
    """It would make the correction for the number of tests stricter than it need be."""
    names = {measure.name for measure in look(*draw(0, 200)).measures}
    assert names == {"prediction", "confidence", "brightness", "contrast", "sharpness"}


def test_a_size_that_never_came_before_is_drift() -> None:
    reference, batch = draw(0, 200)
    verdict = look(reference, batch.assign(width=[*[28] * 100, *[64] * 100]))
    assert [measure.name for measure in verdict.drifted] == ["width"]


def known(batch: pd.DataFrame, right: int) -> dict[str, str]:
    """Labels of which the first `right` agree."""
    wrong = {"0": "1"}
    return {
        id_: said if n < right else wrong.get(said, "0")
        for n, (id_, said) in enumerate(zip(batch["id"], batch["prediction"], strict=True))
    }


def test_labels_that_show_a_worse_model_are_drift_whatever_the_pictures_look_like() -> None:
    reference, batch = draw(1, 300)
    verdict = judge(digits.subject(reference, 0.95), batch, known(batch, 210), DEFAULT)
    assert verdict.status == "drifted"
    assert verdict.performance.worse
    assert verdict.performance.accuracy == pytest.approx(0.7)
    assert verdict.reason.startswith("right in 70.0% of 300 labelled samples, 95.0% in the test")


def test_a_loss_within_the_interval_or_within_what_is_borne_is_none() -> None:
    reference, batch = draw(1, 300)
    close = judge(digits.subject(reference, 0.95), batch, known(batch, 282), DEFAULT)
    assert not close.performance.worse
    lax = MonitorConfig(accuracy_drop=0.5)
    assert not judge(digits.subject(reference, 0.95), batch, known(batch, 210), lax).performance.worse


def test_labels_of_pictures_that_it_learned_from_do_not_count() -> None:
    reference, batch = draw(1, 300)
    watched = digits.subject(reference, 0.95)
    learned = frozenset(batch["id"].iloc[:100])
    watched = watched.__class__(**{**watched.__dict__, "learned": learned})
    done = labels.performance(watched, batch, known(batch, 300), confidence=0.99, drop=0.02)
    assert (done.labelled, done.learned, done.of) == (200, 100, 300)


def test_labels_that_are_not_here_yet_leave_the_question_open() -> None:
    reference, batch = draw(1, 300)
    few = dict(list(known(batch, 300).items())[:30])
    done = judge(digits.subject(reference), batch, few, DEFAULT).performance
    assert (done.labelled, done.of) == (30, 300)
    none = judge(digits.subject(reference), batch, {}, DEFAULT).performance
    assert none.accuracy is None
    assert not none.worse
