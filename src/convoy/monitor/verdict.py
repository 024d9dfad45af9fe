"""One look at a model: is what it is asked, and what it answers, still what it was tested on?"""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from convoy.config.monitor import MonitorConfig
from convoy.errors import ConvoyError
from convoy.monitor import labels, statistics
from convoy.monitor.subject import Subject

Status = Literal["ok", "drifted", "too few"]
CLASSES = "prediction"


class DriftFound(ConvoyError):
    """What a model is asked, or how often it is right, is not what it was when it was tested (exit 7)."""

    exit_code: ClassVar[int] = 7


@dataclass(frozen=True)
class Measure:
    """One measure of the kept predictions against the reference.

    Attributes:
        name: prediction (how often each class is said), confidence, or a measure of the pictures.
        reference, kept: means; None for classes.
        adjusted: p, for the number of measures (Holm).
        drifted: beyond chance, and large.
    """

    name: str
    test: str
    statistic: float
    p: float
    adjusted: float
    psi: float
    reference: float | None
    kept: float | None
    drifted: bool


@dataclass(frozen=True)
class Verdict:
    """What a look found.

    Attributes:
        status: `drifted` covers answers that labels show to be worse.
        samples: kept predictions that were looked at, of different pictures; `seen` of them are of pictures
            that the model was trained on.
        since, until: microseconds of UTC, of the first and last of them; None where there are none.
    """

    model: str
    version: str
    digest: str
    status: Status
    reason: str
    samples: int
    seen: int
    reference_samples: int
    since: int | None
    until: int | None
    measures: list[Measure]
    performance: labels.Performance

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def drifted(self) -> list[Measure]:
        """The largest first."""
        return sorted((m for m in self.measures if m.drifted), key=lambda m: -m.psi)


def judge(subject: Subject, rows: pd.DataFrame, known: dict[str, str], config: MonitorConfig) -> Verdict:
    """Compare kept predictions with the reference, and with the labels that are here.

    Args:
        rows: of `kept.read`, the newest `config.window`.
        known: id -> label.
    """
    done = labels.performance(
        subject, rows, known, confidence=1 - config.alpha, drop=config.accuracy_drop
    )  # fmt: skip
    enough = len(rows) >= config.min_samples
    measures = _measures(subject, rows, config) if enough else []
    status, reason = _conclusion(measures, done, len(rows), config)
    return Verdict(
        model=subject.name,
        version=subject.version,
        digest=subject.digest,
        status=status,
        reason=reason,
        samples=len(rows),
        seen=int(rows["id"].isin(list(subject.learned)).sum()),
        reference_samples=len(subject.reference),
        since=int(rows["at"].min()) if len(rows) else None,
        until=int(rows["at"].max()) if len(rows) else None,
        measures=measures,
        performance=done,
    )


def _measures(subject: Subject, rows: pd.DataFrame, config: MonitorConfig) -> list[Measure]:
    differences: dict[str, statistics.Difference] = {}
    means: dict[str, tuple[float | None, float | None]] = {}
    for name in map(str, subject.reference.columns):
        reference = subject.reference[name].dropna()
        kept = rows[name].dropna() if name in rows else rows["id"].iloc[:0]
        if reference.empty or kept.empty or pd.concat([reference, kept]).nunique() == 1:
            continue  # not known of both, or one value in both: no test, and none to correct for
        if name == CLASSES:
            differences[name] = statistics.of_classes(reference.tolist(), kept.tolist(), subject.classes)
            means[name] = None, None
        else:
            values = reference.to_numpy(np.float64), kept.to_numpy(np.float64)
            differences[name] = statistics.of_numbers(*values)
            means[name] = float(values[0].mean()), float(values[1].mean())
    adjusted = statistics.holm([found.p for found in differences.values()])
    return [
        Measure(
            name, found.test, found.statistic, found.p, p, found.psi, *means[name],
            drifted=p < config.alpha and found.psi >= config.min_psi,
        )
        for (name, found), p in zip(differences.items(), adjusted, strict=True)
    ]  # fmt: skip


def _conclusion(
    measures: list[Measure], done: labels.Performance, samples: int, config: MonitorConfig
) -> tuple[Status, str]:
    reasons = []
    if done.worse and done.accuracy is not None:
        reasons.append(
            f"right in {done.accuracy:.1%} of {done.labelled} labelled samples, "
            f"{done.test_accuracy:.1%} in the test"
        )
    reasons += [
        _words(measure) for measure in sorted(measures, key=lambda m: -m.psi) if measure.drifted
    ]  # fmt: skip
    if reasons:
        return "drifted", "; ".join(reasons)
    if samples < config.min_samples:
        return "too few", f"{samples} predictions are kept, {config.min_samples} are needed for a comparison"
    return "ok", f"{samples} predictions are like those of the test in {len(measures)} measures"


def _words(measure: Measure) -> str:
    if measure.name == CLASSES:
        return f"other classes are predicted than in the test (PSI {measure.psi:.2f})"
    means = f"{shown(measure.reference)} → {shown(measure.kept)}"
    return f"{measure.name} {means} (PSI {measure.psi:.2f})"


def shown(mean: float | None) -> str:
    """A mean as people read it; empty where there is none."""
    if mean is None:
        return ""
    return f"{mean:.3f}" if abs(mean) < 1 else f"{mean:.1f}"
