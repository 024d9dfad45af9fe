"""The gate's rules: each looks at the evidence and says passed, failed or not applicable, with numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convoy.config.register import rises
from convoy.gate import paired

if TYPE_CHECKING:
    from convoy.config.register import GateConfig
    from convoy.gate.budgets import Speed
    from convoy.gate.objectives._base import Common, Scores

Outcome = Literal["passed", "failed", "not applicable"]

LEAST = 20  # samples below which a figure that was measured again says nothing
ALPHA = 0.05  # of the test whether a slice's loss is more than chance, over all slices


class Doubt(NamedTuple):
    """Why something is not proven, and what to do; both empty where it is."""

    reason: str = ""
    fix: str = ""


PROVEN = Doubt()


@dataclass(frozen=True)
class Evidence:
    """All that the rules look at.

    Attributes:
        metrics: the bundle's metrics (of metrics.json).
        size_mb: of model.onnx.
        not_numbers: where a NaN or an infinity stands.
        tree: whether the commit is known that the model was made from.
        data: whether the raw data and the artifacts are those that were recorded.
        champion: version to be beaten; None where there is none.
        scores: answers on the current test samples; None where these could not be trusted.
        comparison: `Scores.compare` on the samples that neither learned from; None where there are none.
        speed: None where no latency is bounded.
    """

    metrics: Mapping[str, Any]
    size_mb: float
    not_numbers: Sequence[str] = ()
    tree: Doubt = PROVEN
    data: Doubt = PROVEN
    champion: str | None = None
    scores: "Scores | None" = None
    comparison: Mapping[str, Any] | None = None
    speed: "Speed | None" = None


@dataclass(frozen=True)
class Finding:
    """What one rule found.

    Attributes:
        said: in words, with the numbers.
        fix: what the user can do.
        final: false where the same bundle may pass later (an uncommitted change, a busy machine).
    """

    rule: str
    outcome: Outcome
    said: str
    numbers: Mapping[str, Any] = field(default_factory=dict)
    fix: str = ""
    final: bool = True

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


Rule = Callable[["GateConfig", Evidence], Finding]


def numbers(config: "GateConfig", found: Evidence) -> Finding:
    """Everything that was measured is a finite number, the metric that decides above all."""
    where = list(found.not_numbers)
    if recorded(config, found) is None:
        where.insert(0, f"{config.metric} of the test split")
    if where:
        more = f" and {len(where) - 3} more" if len(where) > 3 else ""
        return Finding(
            "numbers", "failed", f"not a number: {', '.join(where[:3])}{more}", {"where": where[:20]},
            fix="look at the training's curves: it may have diverged",
        )  # fmt: skip
    return Finding("numbers", "passed", "every figure is a finite number")


def task(config: "GateConfig", found: Evidence) -> Finding:
    """The test samples are of the model's task: of classes, they share some."""
    del config
    if found.scores is None:
        return _unmeasured("task")
    return _of("task", found.scores.tested())


def minimum(config: "GateConfig", found: Evidence) -> Finding:
    """The metric reaches the floor (an error keeps its ceiling), as recorded and as measured again."""
    values = {"recorded": recorded(config, found), "measured": measured(config, found)}
    given = {name: value for name, value in values.items() if value is not None}
    if not given:
        return Finding("minimum", "failed", f"there is no {config.metric}", values)
    if rises(config.metric):
        name, least = min(given.items(), key=lambda item: item[1])
        passed, bound = least >= config.bound, "minimum"
        word = "at least" if passed else "below"
    else:
        name, least = max(given.items(), key=lambda item: item[1])
        passed, bound = least <= config.bound, "maximum"
        word = "at most" if passed else "above"
    said = f"{config.metric} {least:.4f} is {word} the {bound} {config.bound:.4f}"
    if len(given) > 1 and abs(given["recorded"] - given["measured"]) > 5e-5:
        said += f" ({name}; recorded {given['recorded']:.4f}, measured again {given['measured']:.4f})"
    return Finding("minimum", "passed" if passed else "failed", said, {**values, bound: config.bound})


def baseline(config: "GateConfig", found: Evidence) -> Finding:
    """The interval of the advantage over the baseline lies above 0."""
    if not config.beat_baseline:
        return _off("baseline")
    known = found.metrics.get("baseline") or {}
    if "interval" not in known:
        fix = "evaluate.baseline names one, register.gate.beat_baseline: false asks for none"
        return Finding("baseline", "failed", "no baseline was measured", fix=fix)
    low, high = known["interval"]
    passed = low > 0
    said = (
        f"{known.get('difference', (low + high) / 2):+.4f} [{low:+.4f}, {high:+.4f}] against "
        f"{known.get('name', 'the baseline')}: {'' if passed else 'not '}beaten"
    )
    return Finding("baseline", "passed" if passed else "failed", said, dict(known))


def calibration(config: "GateConfig", found: Evidence) -> Finding:
    """The expected calibration error on the test samples keeps its bound."""
    if config.max_ece is None:
        return _off("calibration")
    scores = found.scores
    if scores is None or len(scores.samples) < LEAST:
        return _unmeasured("calibration")
    error = scores.ece()
    if error is None:
        return _unmeasured("calibration")
    passed = error <= config.max_ece
    said = f"calibration error {error:.4f}, {'at most' if passed else 'more than'} {config.max_ece:.4f}"
    known = {"ece": error, "maximum": config.max_ece, "samples": len(scores.samples)}
    return Finding("calibration", "passed" if passed else "failed", said, known)


def comparable(config: "GateConfig", found: Evidence) -> Finding:
    """Champion and challenger share classes (or what else they give); what only one knows is named."""
    del config
    scores = found.scores
    if scores is not None and scores.foreign:
        said = f"the champion is of another objective: {scores.foreign}"
        return Finding("comparable", "failed", said, fix="give it a name of its own (register.model)")
    if found.champion is None or scores is None or scores.rival_classes is None:
        return Finding("comparable", "not applicable", "no champion to compare with")
    return _of("comparable", scores.comparable())


def not_worse(config: "GateConfig", found: Evidence) -> Finding:
    """The difference's interval does not lie wholly below minus the non-inferiority margin."""
    if found.comparison is None:
        return Finding("not worse", "not applicable", "nothing to compare with")
    low, high = found.comparison["interval"]
    passed = high >= -config.non_inferiority
    said = (
        f"{config.metric} {difference(found.comparison)}, "
        f"{'not clearly' if passed else 'clearly'} more than {config.non_inferiority:.4f} worse"
    )
    known = {"difference": found.comparison["difference"], "interval": [low, high],
             "margin": config.non_inferiority}  # fmt: skip
    return Finding("not worse", "passed" if passed else "failed", said, known)


def better(config: "GateConfig", found: Evidence) -> Finding:
    """More than the margin better, and hardly worse: what makes a champion. Missing it is no refusal."""
    if found.comparison is None:
        return Finding("better", "not applicable", "nothing to compare with")
    by, low = found.comparison["difference"], found.comparison["interval"][0]
    more, sure = by > config.margin, low > -config.non_inferiority
    word = "more" if more else "not more"
    said = f"{difference(found.comparison)}, {word} than the margin {config.margin:.4f}"
    if more:
        said += f"; the interval {'excludes' if sure else 'includes'} a loss of {config.non_inferiority:.4f}"
    known = {"difference": by, "low": low, "margin": config.margin, "non_inferiority": config.non_inferiority}
    return Finding("better", "passed" if more and sure else "failed", said, known)


def slices(config: "GateConfig", found: Evidence) -> Finding:
    """No slice loses more (of classes: accuracy) than the margin, unless that many losses may be chance.

    The one-sided sign test on the samples that only one has right (or that one has a smaller error on), its
    level divided by the number of slices (Bonferroni), keeps a handful of unlucky samples among many slices
    from refusing a good model.
    """
    if config.slice_margin is None:
        return _off("slices")
    scores = found.scores
    if found.comparison is None or scores is None:
        return Finding("slices", "not applicable", "nothing to compare with")
    from convoy.evaluation.slices import groups

    new, old, sign = scores.shares()
    table = scores.samples[scores.shared].reset_index(drop=True)
    rows = [
        _slice(name, new[mask], old[mask], sign)
        for name, mask in groups(table, least=config.slice_samples).items()
    ]
    if not rows:
        return Finding("slices", "not applicable", f"no slice has {config.slice_samples} samples")
    level = ALPHA / len(rows)
    lost = [row for row in rows if row["difference"] < -config.slice_margin and row["p"] <= level]
    rows.sort(key=lambda row: (row not in lost, row["difference"]))
    worst = rows[0]
    said = (
        f"worst of {len(rows)}: {worst['slice']}, {worst['champion']:.4f} to {worst['challenger']:.4f} "
        f"({worst['difference']:+.4f}) on {worst['samples']} samples, margin {config.slice_margin:.4f}"
    )
    if worst["difference"] < -config.slice_margin:
        said += f"; by chance p = {worst['p']:.2g}, {'at most' if lost else 'more than'} {level:.2g}"
    known = {"margin": config.slice_margin, "level": level, "tested": len(rows), "worst": rows[:10]}
    return Finding("slices", "failed" if lost else "passed", said, known)


def _slice(name: str, new: NDArray[np.float64], old: NDArray[np.float64], sign: int) -> dict[str, Any]:
    """One slice's figures; `new` and `old` say how good each model is on its samples (see `Shares`)."""
    after, before = float(new.mean()), float(old.mean())
    return {
        "slice": name, "samples": len(new), "challenger": after, "champion": before,
        "difference": sign * (after - before),
        "p": paired.chance_of_loss(sign * new > sign * old, sign * old > sign * new),
    }  # fmt: skip


def size(config: "GateConfig", found: Evidence) -> Finding:
    """model.onnx keeps its bound."""
    if config.max_size_mb is None:
        return _off("size")
    passed = found.size_mb <= config.max_size_mb
    said = f"{found.size_mb:.2f} MB, {'at most' if passed else 'more than'} {config.max_size_mb:g} MB"
    return Finding(
        "size", "passed" if passed else "failed", said, {"mb": found.size_mb, "maximum": config.max_size_mb}
    )


def latency(config: "GateConfig", found: Evidence) -> Finding:
    """One picture's time keeps its bounds; only a clear excess (the lower quartile) breaks one."""
    if config.max_latency_ms is None and config.max_latency_ratio is None:
        return _off("latency")
    if found.speed is None:
        return _unmeasured("latency")
    speed = found.speed
    said = [f"{speed.challenger[1]:.2f} ms"]
    late = False
    if config.max_latency_ms is not None:
        slow = speed.challenger[0] > config.max_latency_ms
        said.append(f"{'more than' if slow else 'within'} {config.max_latency_ms:g} ms")
        late |= slow
    if speed.ratio is not None and speed.champion is not None:
        said.append(f"{speed.ratio[1]:.2f} times the champion's {speed.champion[1]:.2f} ms")
        if config.max_latency_ratio is not None:
            slow = speed.ratio[0] > config.max_latency_ratio
            said.append(f"{'more than' if slow else 'within'} {config.max_latency_ratio:g} times")
            late |= slow
    known = {**asdict(speed), "max_ms": config.max_latency_ms, "max_ratio": config.max_latency_ratio}
    return Finding(
        "latency", "failed" if late else "passed", ", ".join(said), known, final=False,
        fix="on a quieter machine, `convoy register` measures again" if late else "",
    )  # fmt: skip


def tree(config: "GateConfig", found: Evidence) -> Finding:
    """The commit says everything about the code and the parameters."""
    del config
    if found.tree.reason:
        return Finding("tree", "failed", found.tree.reason, fix=found.tree.fix, final=False)
    return Finding("tree", "passed", "made from a committed tree")


def data(config: "GateConfig", found: Evidence) -> Finding:
    """The raw data are those whose digest is recorded, and the artifacts were made from them."""
    del config
    if found.data.reason:
        return Finding("data", "failed", found.data.reason, fix=found.data.fix, final=False)
    return Finding("data", "passed", "the data are those that were recorded")


# In the order in which a refusal names them: what no later call can mend comes first.
RULES: tuple[Rule, ...] = (
    numbers, task, minimum, baseline, calibration, comparable, not_worse, slices, size, latency, tree, data,
)  # fmt: skip


def recorded(config: "GateConfig", found: Evidence) -> float | None:
    """The metric on the model's own test split, as the bundle tells it."""
    value = (found.metrics.get("test") or {}).get(config.metric)
    return float(value) if value is not None and np.isfinite(value) else None


def measured(config: "GateConfig", found: Evidence) -> float | None:
    """The metric on the current test samples that it did not learn from, if they are enough."""
    scores = found.scores
    if scores is None or len(scores.samples) < LEAST:
        return None
    return scores.measured(config.metric)


def difference(comparison: Mapping[str, Any]) -> str:
    """Both metrics and their difference in words; of an error, the difference is how much smaller it is."""
    low, high = comparison["interval"]
    return (
        f"{comparison['challenger']:.4f} against the champion's {comparison['champion']:.4f} on "
        f"{comparison['samples']} samples: {comparison['difference']:+.4f} [{low:+.4f}, {high:+.4f}]"
    )


def _off(rule: str) -> Finding:
    return Finding(rule, "not applicable", "not asked for")


def _unmeasured(rule: str) -> Finding:
    return Finding(rule, "not applicable", "not measured")


def _of(rule: str, common: "Common") -> Finding:
    outcome: Outcome = "passed" if common.enough else "failed"
    return Finding(rule, outcome, common.said, common.numbers, common.fix)
