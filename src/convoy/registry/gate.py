"""The gate: numbers in, verdict out. It knows neither MLflow nor files.

A model is refused when its own test metric is not a number or below the minimum, or when what it was made
from cannot be proven. The first that passes becomes champion. After that the champion must be beaten, by
more than the margin, on the same samples.
"""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Status = Literal["champion", "challenger", "refused"]
Codes = NDArray[np.int64]

RESAMPLES, CONFIDENCE, SEED = 2000, 0.95, 0


@dataclass(frozen=True)
class Verdict:
    """What was decided, and every number that led to it.

    Attributes:
        rule: which rule decided: metric, unproven, first, better, not_better, incomparable, override.
        reason: the rule in words, with the numbers.
        fix: what the user can do; empty where nothing is to be done.
        final: false where the same bundle may pass later (an uncommitted change).
        comparison: of `compare`; empty where nothing was compared.
    """

    status: Status
    rule: str
    reason: str
    metric: str
    value: float | None
    minimum: float
    margin: float
    fix: str = ""
    final: bool = True
    champion: str | None = None
    comparison: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Rules:
    """Of params.yaml: register.gate."""

    metric: str
    minimum: float
    margin: float


@dataclass(frozen=True)
class Answers:
    """Class indices (N,) on the same N samples; -1 is a class that a model does not know."""

    target: Codes
    challenger: Codes
    champion: Codes
    classes: int


def judge_alone(rules: Rules, value: float | None, unproven: str, fix: str) -> Verdict | None:
    """The rules that need no champion; None where the model passes them.

    Args:
        value: of the metric on the model's own test split.
        unproven: why it cannot be rebuilt (an uncommitted change …); empty where it can.
        fix: what to do about that.
    """
    given = _finite(value)
    shared = {**asdict(rules), "value": given}
    if given is None:
        return Verdict("refused", "metric", f"{rules.metric} is not a number", **shared)
    if given < rules.minimum:
        reason = f"{rules.metric} {given:.4f} is below the minimum {rules.minimum:.4f}"
        return Verdict("refused", "metric", reason, **shared)
    if unproven:
        return Verdict("refused", "unproven", unproven, fix=fix, final=False, **shared)
    return None


def first(rules: Rules, value: float) -> Verdict:
    reason = f"the first model that passes; {rules.metric} {value:.4f}, minimum {rules.minimum:.4f}"
    return Verdict("champion", "first", reason, value=value, **asdict(rules))


def against(rules: Rules, value: float, champion: str, answers: Answers, left_out: dict[str, int]) -> Verdict:
    """Champion and challenger on the samples that neither learned from."""
    shared: dict[str, Any] = {**asdict(rules), "value": value, "champion": champion}
    if not len(answers.target):
        return Verdict(
            "challenger",
            "incomparable",
            "no test sample is left that neither model learned from",
            fix="`convoy registry promote NAME VERSION --override REASON` decides by hand",
            comparison={"samples": 0, "left_out": left_out},
            **shared,
        )
    comparison = {**compare(rules.metric, answers), "left_out": left_out}
    difference = comparison["difference"]
    better = difference > rules.margin
    low, high = comparison["interval"]
    reason = (
        f"{rules.metric} {comparison['challenger']:.4f} against the champion's {comparison['champion']:.4f} "
        f"on {comparison['samples']} samples: {difference:+.4f} [{low:+.4f}, {high:+.4f}], "
        f"{'more' if better else 'not more'} than the margin {rules.margin:.4f}"
    )
    if better:
        return Verdict("champion", "better", reason, comparison=comparison, **shared)
    return Verdict("challenger", "not_better", reason, comparison=comparison, **shared)


def compare(metric: str, answers: Answers) -> dict[str, Any]:
    """Both metrics, their difference with a paired bootstrap interval, and McNemar's exact test.

    Raises:
        KeyError: the metric is none of METRICS.
    """
    from scipy import stats

    measure = METRICS[metric]

    def difference(index: Codes) -> float:
        target = answers.target[index]
        new, old = answers.challenger[index], answers.champion[index]
        return measure(target, new, answers.classes) - measure(target, old, answers.classes)

    everything = np.arange(len(answers.target))
    observed = difference(everything)
    interval = [observed, observed]
    if len(everything) > 1:
        result = stats.bootstrap(
            (everything,),
            difference,
            n_resamples=RESAMPLES,
            batch=1,
            vectorized=False,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(SEED),
        )
        interval = [float(result.confidence_interval.low), float(result.confidence_interval.high)]
    new_right, old_right = answers.challenger == answers.target, answers.champion == answers.target
    only_new, only_old = int((new_right & ~old_right).sum()), int((old_right & ~new_right).sum())
    disagreements = only_new + only_old
    p = float(stats.binomtest(only_new, disagreements, 0.5).pvalue) if disagreements else 1.0
    return {
        "samples": len(answers.target),
        "challenger": measure(answers.target, answers.challenger, answers.classes),
        "champion": measure(answers.target, answers.champion, answers.classes),
        "difference": observed,
        "interval": interval,
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "mcnemar": {"only_challenger_right": only_new, "only_champion_right": only_old, "p": p},
    }


def _accuracy(target: Codes, prediction: Codes, classes: int) -> float:
    del classes
    return float((target == prediction).mean())


def _macro_f1(target: Codes, prediction: Codes, classes: int) -> float:
    """Mean F1 of all classes; a class that neither occurs nor is predicted counts as 0, as in evaluation."""
    hits = np.bincount(target[target == prediction] + 1, minlength=classes + 1)[1:]
    actual = np.bincount(target + 1, minlength=classes + 1)[1:]
    predicted = np.bincount(prediction + 1, minlength=classes + 1)[1:]
    return float((2 * hits / np.maximum(actual + predicted, 1)).mean())


METRICS: dict[str, Callable[[Codes, Codes, int], float]] = {"accuracy": _accuracy, "macro_f1": _macro_f1}


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
