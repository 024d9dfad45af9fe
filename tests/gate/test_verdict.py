"""The gate's rules on evidence made by hand."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from convoy.config.register import GateConfig
from convoy.gate import paired
from convoy.gate import verdict as gate
from convoy.gate.budgets import Speed
from convoy.gate.objectives.classification import Scores
from convoy.gate.rules import Doubt, Evidence, Finding

CONFIG: dict[str, Any] = {
    "metric": "accuracy", "first": "promote", "minimum": 0.5, "margin": 0.0, "non_inferiority": 0.05,
    "beat_baseline": False, "max_ece": None, "slice_margin": None, "slice_samples": 20,
    "max_latency_ms": None, "max_latency_ratio": None, "max_size_mb": None,
}  # fmt: skip
NAMES = ["a", "b"]


def _config(**changes: Any) -> GateConfig:
    return GateConfig(**{**CONFIG, **changes})


def _scores(new: float, old: float | None = None, count: int = 200, **changes: Any) -> Scores:
    """`count` samples of two classes in turns; each model is right on the first share of them."""
    target = np.arange(count) % 2
    rows = pd.DataFrame({"id": [f"{n:032x}" for n in range(count)], "target": [NAMES[t] for t in target]})
    answer = np.where(np.arange(count) < round(new * count), target, 1 - target)
    rival = None if old is None else np.where(np.arange(count) < round(old * count), target, 1 - target)
    made = Scores(
        rows,
        NAMES,
        np.where(np.arange(2) == answer[:, None], 0.9, 0.1),
        None if rival is None else NAMES,
        None if rival is None else np.array(NAMES)[rival],
        np.ones(count, bool),
        {"challenger": 0, "champion": 0},
    )
    return replace(made, **changes)


def _evidence(scores: Scores | None = None, **changes: Any) -> Evidence:
    figures = {"accuracy": 0.9, "macro_f1": 0.9}
    comparison = None
    if scores is not None and scores.rival is not None and scores.shared.any():
        comparison = paired.compare("accuracy", scores.answers())
    champion = None if scores is None or scores.rival is None else "3"
    found = Evidence({"test": figures}, 1.0, scores=scores, comparison=comparison, champion=champion)
    return replace(found, **changes)


def _judged(rule: str, config: GateConfig, found: Evidence) -> tuple[gate.Verdict, Finding]:
    verdict = gate.judge(config, found)
    return verdict, next(Finding(**row) for row in verdict.rules if row["rule"] == rule)


def test_the_first_that_passes_is_champion() -> None:
    verdict = gate.judge(_config(), _evidence(_scores(0.95)))
    assert (verdict.status, verdict.rule, verdict.value) == ("champion", "first", 0.95)


def test_the_first_can_be_held_until_a_person_promotes_it() -> None:
    held = gate.judge(_config(first="hold"), _evidence(_scores(0.95)))
    assert (held.status, held.rule) == ("challenger", "held")
    assert "registry promote" in held.fix
    assert gate.judge(_config(first="hold"), _evidence(_scores(0.95)), by_hand=True).status == "champion"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_metric_that_is_no_number_is_refused_for_good(value: float | None) -> None:
    verdict = gate.judge(_config(), _evidence(metrics={"test": {"accuracy": value}}))
    assert (verdict.status, verdict.rule, verdict.final, verdict.value) == ("refused", "numbers", True, None)


def test_a_nan_anywhere_is_refused_and_named() -> None:
    verdict = gate.judge(_config(), _evidence(_scores(0.95), not_numbers=["weights body.0.bias"]))
    assert (verdict.status, verdict.rule) == ("refused", "numbers")
    assert "weights body.0.bias" in verdict.reason


def test_below_the_minimum_is_refused_with_both_numbers() -> None:
    verdict = gate.judge(_config(minimum=0.92), _evidence())
    assert (verdict.status, verdict.rule, verdict.final) == ("refused", "minimum", True)
    assert "0.9000" in verdict.reason
    assert "0.9200" in verdict.reason


def test_the_minimum_itself_passes() -> None:
    assert gate.judge(_config(minimum=0.9), _evidence()).status == "champion"


def test_the_floor_holds_for_the_figure_that_was_measured_again_too() -> None:
    verdict = gate.judge(_config(minimum=0.85), _evidence(_scores(0.8)))
    assert (verdict.status, verdict.rule, verdict.value) == ("refused", "minimum", 0.8)
    assert "recorded 0.9000, measured again 0.8000" in verdict.reason


def test_a_handful_of_samples_is_no_measurement() -> None:
    verdict = gate.judge(_config(minimum=0.85), _evidence(_scores(0.5, count=6)))
    assert (verdict.status, verdict.value) == ("champion", 0.9)


def test_an_uncommitted_change_is_refused_but_may_pass_later() -> None:
    verdict = gate.judge(_config(), _evidence(_scores(0.95), tree=Doubt("dirty tree", "commit")))
    assert (verdict.status, verdict.rule, verdict.reason, verdict.fix, verdict.final) == (
        "refused", "tree", "dirty tree", "commit", False,
    )  # fmt: skip


def test_data_that_are_not_those_recorded_are_refused_and_nothing_is_measured() -> None:
    verdict = gate.judge(_config(max_ece=0.01), _evidence(data=Doubt("unverified data", "dvc checkout")))
    assert (verdict.status, verdict.rule, verdict.final) == ("refused", "data", False)
    outcomes = {row["rule"]: row["outcome"] for row in verdict.rules}
    assert outcomes["calibration"] == outcomes["task"] == "not applicable"


def test_the_first_rule_that_fails_is_the_reason_and_a_final_one_counts_before_a_dirty_tree() -> None:
    verdict = gate.judge(_config(minimum=0.99), _evidence(tree=Doubt("dirty tree", "commit")))
    assert (verdict.rule, verdict.final) == ("minimum", True)
    assert verdict.reason.endswith("(also: tree)")


def test_every_rule_is_listed_with_its_outcome() -> None:
    verdict = gate.judge(_config(max_size_mb=0.5), _evidence(_scores(0.95, 0.9)))
    outcomes = {row["rule"]: row["outcome"] for row in verdict.rules}
    assert list(outcomes) == [
        "numbers", "task", "minimum", "baseline", "calibration", "comparable", "not worse", "slices",
        "size", "latency", "tree", "data", "better",
    ]  # fmt: skip
    assert outcomes["size"] == "failed"
    assert outcomes["better"] == "passed"
    assert outcomes["latency"] == "not applicable"


@pytest.mark.parametrize(
    ("interval", "outcome"), [([0.01, 0.1], "passed"), ([0.0, 0.1], "failed"), ([-0.02, 0.1], "failed")]
)
def test_the_baseline_is_beaten_when_its_interval_lies_above_0(interval: list[float], outcome: str) -> None:
    figures = {"test": {"accuracy": 0.9}, "baseline": {"name": "hog_linear", "interval": interval}}
    verdict, found = _judged("baseline", _config(beat_baseline=True), _evidence(metrics=figures))
    assert found.outcome == outcome
    assert (verdict.status == "refused") == (outcome == "failed")


def test_a_baseline_that_was_never_measured_is_not_beaten() -> None:
    verdict = gate.judge(_config(beat_baseline=True), _evidence())
    assert (verdict.status, verdict.rule) == ("refused", "baseline")
    assert "beat_baseline: false" in verdict.fix


def test_the_calibration_error_is_bounded() -> None:
    scores = _scores(0.5)  # says 0.9 and is right half of the time: an error of 0.4
    verdict, found = _judged("calibration", _config(max_ece=0.3), _evidence(scores))
    assert (verdict.rule, found.outcome) == ("calibration", "failed")
    assert found.numbers["ece"] == pytest.approx(0.4)
    assert gate.judge(_config(max_ece=0.41), _evidence(scores)).status == "champion"


def test_better_on_the_same_samples_makes_the_champion() -> None:
    verdict = gate.judge(_config(), _evidence(_scores(1.0, 0.5)))
    assert (verdict.status, verdict.rule, verdict.champion) == ("champion", "better", "3")
    assert verdict.comparison["difference"] == 0.5
    assert verdict.comparison["left_out"] == {"challenger": 0, "champion": 0}


def test_equal_is_not_better() -> None:
    verdict = gate.judge(_config(), _evidence(_scores(0.9, 0.9)))
    assert (verdict.status, verdict.rule) == ("challenger", "not_better")
    assert verdict.comparison["interval"] == [0.0, 0.0]


def test_the_margin_must_be_exceeded() -> None:
    found = _evidence(_scores(1.0, 0.9))
    for margin, status in ((0.09, "champion"), (0.11, "challenger")):
        assert gate.judge(_config(margin=margin), found).status == status


def test_a_lead_that_may_be_a_loss_does_not_make_a_champion() -> None:
    scores = _scores(0.8, 0.8, count=40)  # right on the first 32
    target = scores.samples["target"].to_numpy()
    right = (np.arange(40) + 9) % 40 < 31  # on 31 others
    lucky = np.where(right, target, np.where(target == "a", "b", "a"))
    found = _evidence(replace(scores, rival=lucky))
    assert found.comparison is not None
    assert found.comparison["difference"] > 0
    assert found.comparison["interval"][0] < -0.05
    verdict = gate.judge(_config(), found)
    assert (verdict.status, verdict.rule) == ("challenger", "not_better")
    assert "includes a loss" in verdict.reason
    assert gate.judge(_config(non_inferiority=0.99), found).status == "champion"


def test_wholly_below_the_margin_is_worse_and_refused_with_its_interval() -> None:
    found = _evidence(_scores(0.6, 1.0))
    verdict = gate.judge(_config(), found)
    assert (verdict.status, verdict.rule, verdict.final) == ("refused", "not worse", True)
    low, high = verdict.comparison["interval"]
    assert high < -0.05
    assert f"[{low:+.4f}, {high:+.4f}]" in verdict.reason
    assert gate.judge(_config(non_inferiority=0.5), found).status == "challenger"


def test_a_slice_that_clearly_lost_is_refused_although_the_whole_is_better() -> None:
    scores = _scores(1.0, 1.0, count=400)
    target = scores.samples["target"].to_numpy()
    probabilities = scores.rows.copy()
    lost = np.where(target == "a")[0][:30]  # 15 % of class a
    probabilities[lost] = probabilities[lost][:, ::-1]
    rival = target.copy()
    rival[np.where(target == "b")[0][:60]] = "a"
    found = _evidence(replace(scores, rows=probabilities, rival=rival))
    verdict, finding = _judged("slices", _config(slice_margin=0.05), found)
    assert (verdict.status, verdict.rule, finding.outcome) == ("refused", "slices", "failed")
    assert finding.numbers["worst"][0]["slice"] == "class a"
    assert finding.numbers["worst"][0]["difference"] == pytest.approx(-0.15)
    assert gate.judge(_config(slice_margin=0.2), found).status == "champion"
    assert gate.judge(_config(slice_margin=None), found).status == "champion"


def test_a_few_unlucky_samples_of_a_slice_refuse_nothing() -> None:
    scores = _scores(1.0, 1.0, count=60)
    probabilities = scores.rows.copy()
    lost = np.where(scores.samples["target"] == "a")[0][:2]
    probabilities[lost] = probabilities[lost][:, ::-1]
    _, finding = _judged("slices", _config(slice_margin=0.05), _evidence(replace(scores, rows=probabilities)))
    assert finding.numbers["worst"][0]["difference"] == pytest.approx(-2 / 30)
    assert finding.outcome == "passed"
    assert "by chance" in finding.said


def test_slices_with_too_few_samples_are_not_judged() -> None:
    _, finding = _judged("slices", _config(slice_margin=0.0), _evidence(_scores(0.2, 1.0, count=30)))
    assert finding.outcome == "not applicable"


def test_a_file_that_is_too_large_is_refused() -> None:
    assert gate.judge(_config(max_size_mb=1.0), _evidence()).status == "champion"
    verdict = gate.judge(_config(max_size_mb=0.99), _evidence())
    assert (verdict.status, verdict.rule) == ("refused", "size")


@pytest.mark.parametrize(
    ("bounds", "outcome"),
    [
        ({"max_latency_ms": 8.0}, "passed"),  # the median is above, the lower quartile is not
        ({"max_latency_ms": 6.0}, "failed"),
        ({"max_latency_ratio": 2.0}, "passed"),
        ({"max_latency_ratio": 1.4}, "failed"),
    ],
)
def test_only_a_clear_excess_of_time_refuses(bounds: dict[str, float], outcome: str) -> None:
    speed = Speed([7.0, 9.0, 30.0], [4.0, 5.0, 20.0], [1.5, 2.5, 8.0], 40)
    verdict, found = _judged("latency", _config(**bounds), _evidence(_scores(1.0, 0.5), speed=speed))
    assert found.outcome == outcome
    assert verdict.final == (outcome == "passed")


def test_a_test_store_of_another_task_is_refused_with_both_sides_classes() -> None:
    scores = _scores(0.9)
    other = scores.samples.assign(target="cat")
    verdict = gate.judge(_config(), _evidence(replace(scores, samples=other)))
    assert (verdict.status, verdict.rule) == ("refused", "task")
    assert "another task: cat; the model knows a, b" in verdict.reason


def test_a_champion_of_other_classes_is_refused() -> None:
    scores = _scores(0.9, 0.9)
    rival = replace(scores, rival_classes=["x", "y"], rival=np.array(["x"] * 200))
    verdict = gate.judge(_config(), _evidence(rival))
    assert (verdict.status, verdict.rule) == ("refused", "comparable")
    assert "a, b against x, y" in verdict.reason


def test_models_with_some_classes_in_common_are_compared_on_these_and_it_is_said() -> None:
    scores = _scores(1.0, 0.5)
    rival = np.where(scores.rival == "b", "c", scores.rival)
    found = _evidence(replace(scores, rival_classes=["a", "c"], rival=rival))
    verdict = gate.judge(_config(), found)
    assert verdict.comparison["samples"] == 100  # class a alone
    assert "compared on the 1 common classes" in verdict.reason
    assert "only the challenger knows b; only the champion knows c" in verdict.reason


def test_nothing_to_compare_on_is_no_victory() -> None:
    scores = _scores(0.9, 0.9, fresh=np.zeros(200, bool), left_out={"challenger": 0, "champion": 200})
    verdict = gate.judge(_config(), _evidence(scores))
    assert (verdict.status, verdict.rule) == ("challenger", "incomparable")
    assert verdict.comparison == {"samples": 0, "left_out": {"challenger": 0, "champion": 200}}


def test_a_verdict_survives_json() -> None:
    verdict = gate.judge(_config(slice_margin=0.1, max_ece=0.5), _evidence(_scores(0.95, 0.9)))
    assert gate.Verdict(**json.loads(json.dumps(verdict.as_dict(), allow_nan=False))) == verdict


def test_a_short_verdict_fits_a_tag_whatever_the_rules_say() -> None:
    verdict = gate.judge(_config(slice_margin=0.1), _evidence(_scores(0.95, 0.9)))
    long = replace(
        verdict, reason="so " * 2000, rules=[{**row, "said": "words " * 500} for row in verdict.rules]
    )
    short = long.short()
    assert len(json.dumps(short, ensure_ascii=False)) <= gate.SHORT
    assert [row["outcome"] for row in short["rules"]] == [row["outcome"] for row in verdict.rules]
    assert gate.Verdict(**short).status == verdict.status
    assert "numbers" not in verdict.short()["rules"][0]


def test_an_override_keeps_what_the_gate_said() -> None:
    refused = gate.judge(_config(minimum=0.99), _evidence())
    forced = gate.override(refused, "a demo")
    assert (forced.status, forced.rule) == ("champion", "override")
    assert refused.reason in forced.reason
