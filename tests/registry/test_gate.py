"""The gate's rules and its statistics, on numbers alone."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from convoy.evaluation import metrics
from convoy.registry import gate

RULES = gate.Rules("accuracy", minimum=0.9, margin=0.0)


def _answers(target: list[int], challenger: list[int], champion: list[int], classes: int = 2) -> gate.Answers:
    return gate.Answers(np.array(target), np.array(challenger), np.array(champion), classes)


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_metric_that_is_no_number_is_refused_for_good(value: float | None) -> None:
    verdict = gate.judge_alone(RULES, value, "", "")
    assert verdict is not None
    assert (verdict.status, verdict.rule, verdict.final, verdict.value) == ("refused", "metric", True, None)


def test_below_the_minimum_is_refused_with_both_numbers() -> None:
    verdict = gate.judge_alone(RULES, 0.8999, "", "")
    assert verdict is not None
    assert verdict.status == "refused"
    assert "0.8999" in verdict.reason
    assert "0.9000" in verdict.reason


def test_the_minimum_itself_passes() -> None:
    assert gate.judge_alone(RULES, 0.9, "", "") is None


def test_what_cannot_be_proven_is_refused_but_may_pass_later() -> None:
    verdict = gate.judge_alone(RULES, 0.95, "dirty tree", "commit")
    assert verdict is not None
    assert (verdict.status, verdict.rule, verdict.final, verdict.fix) == (
        "refused",
        "unproven",
        False,
        "commit",
    )


def test_a_bad_metric_counts_before_a_dirty_tree() -> None:
    verdict = gate.judge_alone(RULES, 0.1, "dirty tree", "commit")
    assert verdict is not None
    assert verdict.final


def test_the_first_that_passes_is_champion() -> None:
    assert gate.first(RULES, 0.95).status == "champion"


def test_better_on_the_same_samples_makes_the_champion() -> None:
    answers = _answers([0, 1] * 10, [0, 1] * 10, [0, 0] * 10)
    verdict = gate.against(RULES, 0.95, "3", answers, {"challenger": 1, "champion": 2})
    assert (verdict.status, verdict.rule, verdict.champion) == ("champion", "better", "3")
    assert verdict.comparison["difference"] == 0.5
    assert verdict.comparison["left_out"] == {"challenger": 1, "champion": 2}


def test_equal_is_not_better() -> None:
    answers = _answers([0, 1, 0], [0, 1, 1], [0, 1, 1])
    verdict = gate.against(RULES, 0.95, "1", answers, {})
    assert (verdict.status, verdict.rule) == ("challenger", "not_better")
    assert verdict.comparison["interval"] == [0.0, 0.0]
    assert verdict.comparison["mcnemar"]["p"] == 1.0


def test_the_margin_must_be_exceeded() -> None:
    answers = _answers([0] * 10, [0] * 10, [0] * 9 + [1])
    for margin, status in ((0.09, "champion"), (0.11, "challenger")):
        rules = gate.Rules("accuracy", 0.9, margin)
        assert gate.against(rules, 0.95, "1", answers, {}).status == status


def test_nothing_to_compare_on_is_no_victory() -> None:
    verdict = gate.against(RULES, 0.95, "1", _answers([], [], []), {"challenger": 0, "champion": 7})
    assert (verdict.status, verdict.rule) == ("challenger", "incomparable")
    assert verdict.comparison == {"samples": 0, "left_out": {"challenger": 0, "champion": 7}}


def test_one_sample_is_compared_without_complaint() -> None:
    assert gate.compare("accuracy", _answers([0], [0], [1]))["interval"] == [1.0, 1.0]


def test_the_interval_is_the_paired_bootstraps_and_the_same_every_time() -> None:
    rng = np.random.default_rng(1)
    target = rng.integers(0, 2, 200)
    new = np.where(rng.random(200) < 0.9, target, 1 - target)
    old = np.where(rng.random(200) < 0.8, target, 1 - target)
    answers = gate.Answers(target, new, old, 2)
    found = gate.compare("accuracy", answers)
    gain = (new == target).astype(float) - (old == target).astype(float)
    expected = stats.bootstrap(
        (gain,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(2)
    )
    assert np.allclose(found["interval"], list(expected.confidence_interval), atol=0.02)
    assert found == gate.compare("accuracy", answers)


def test_mcnemar_counts_the_disagreements_exactly() -> None:
    found = gate.compare("accuracy", _answers([0] * 10, [0] * 8 + [1, 1], [1] * 7 + [0, 0, 0]))["mcnemar"]
    assert (found["only_challenger_right"], found["only_champion_right"]) == (7, 2)
    assert found["p"] == pytest.approx(stats.binomtest(7, 9, 0.5).pvalue)


def test_macro_f1_is_that_of_the_evaluation() -> None:
    rng = np.random.default_rng(0)
    target, prediction = rng.integers(0, 4, 60), rng.integers(0, 4, 60)
    names = list("abcde")  # e neither occurs nor is predicted
    table = pd.DataFrame({"target": [names[t] for t in target], "prediction": [names[p] for p in prediction]})
    table = table.assign(loss=1.0, **{f"p:{name}": 0.0 for name in names})
    expected = metrics.summary(metrics.scored(table))
    found = gate.compare("macro_f1", gate.Answers(target, prediction, prediction, 5))
    assert found["challenger"] == pytest.approx(expected["macro_f1"], abs=1e-6)


def test_a_verdict_survives_json() -> None:
    import json

    verdict = gate.against(
        RULES, 0.95, "1", _answers([0, 1], [0, 1], [1, 1]), {"challenger": 0, "champion": 0}
    )
    assert gate.Verdict(**json.loads(json.dumps(verdict.as_dict(), allow_nan=False))) == verdict
