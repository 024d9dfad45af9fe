"""Paired statistics: scipy's bootstrap on the samples one by one gives the same intervals."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from convoy.evaluation import metrics
from convoy.gate import paired
from convoy.gate.paired import Answers


def _answers(target: list[int], challenger: list[int], champion: list[int], classes: int = 2) -> Answers:
    return Answers(np.array(target), np.array(challenger), np.array(champion), classes)


def _random(count: int, classes: int, new: float, old: float) -> Answers:
    rng = np.random.default_rng(1)
    target = rng.integers(0, classes, count)
    other = (target + rng.integers(1, classes, count)) % classes
    return Answers(
        target,
        np.where(rng.random(count) < new, target, other),
        np.where(rng.random(count) < old, target, other),
        classes,
    )


@pytest.mark.parametrize("metric", paired.METRICS)
def test_the_interval_is_the_paired_bootstraps_and_the_same_every_time(metric: str) -> None:
    answers = _random(300, 3, 0.9, 0.8)
    found = paired.compare(metric, answers)

    def difference(index: np.ndarray) -> float:
        target = answers.target[index]
        return paired.measure(metric, target, answers.challenger[index], 3) - paired.measure(
            metric, target, answers.champion[index], 3
        )

    expected = stats.bootstrap(
        (np.arange(300),), difference, n_resamples=1500, vectorized=False, method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    assert np.allclose(found["interval"], list(expected), atol=0.012)
    assert found["difference"] == pytest.approx(found["challenger"] - found["champion"])
    assert found == paired.compare(metric, answers)


def test_one_sample_is_compared_without_complaint() -> None:
    assert paired.compare("accuracy", _answers([0], [0], [1]))["interval"] == [1.0, 1.0]


def test_equal_models_differ_by_nothing() -> None:
    found = paired.compare("macro_f1", _answers([0, 1, 0], [0, 1, 1], [0, 1, 1]))
    assert (found["difference"], found["interval"], found["mcnemar"]["p"]) == (0.0, [0.0, 0.0], 1.0)


def test_mcnemar_counts_the_disagreements_exactly() -> None:
    found = paired.compare("accuracy", _answers([0] * 10, [0] * 8 + [1, 1], [1] * 7 + [0, 0, 0]))["mcnemar"]
    assert (found["only_challenger_right"], found["only_champion_right"]) == (7, 2)
    assert found["p"] == pytest.approx(stats.binomtest(7, 9, 0.5).pvalue)


def test_the_chance_of_a_loss_is_one_sided() -> None:
    old, new = np.ones(40, bool), np.arange(40) >= 10
    assert paired.chance_of_loss(new, old) == pytest.approx(0.5**10)
    assert paired.chance_of_loss(old, new) == 1.0
    assert paired.chance_of_loss(old, old) == 1.0


def test_macro_f1_is_that_of_the_evaluation() -> None:
    rng = np.random.default_rng(0)
    target, prediction = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    names = list("abcde")  # e neither occurs nor is predicted
    table = pd.DataFrame({"target": [names[t] for t in target], "prediction": [names[p] for p in prediction]})
    report = metrics.per_class(metrics.scored(table.assign(loss=1.0, **{f"p:{name}": 0.2 for name in names})))
    expected = report.set_index("class")["f1"][names].mean()
    assert paired.measure("macro_f1", target, prediction, 5) == pytest.approx(expected, abs=1e-6)


def test_a_thousand_classes_and_ten_thousand_samples_take_seconds_not_minutes() -> None:
    start = time.perf_counter()
    paired.compare("macro_f1", _random(10_000, 1000, 0.9, 0.8))
    assert time.perf_counter() - start < 60


def test_an_unknown_metric_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError, match="bogus"):
        paired.compare("bogus", _answers([0], [0], [0]))
