"""Numbers and points: errors with intervals, residuals, the worst samples with what was said of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from convoy.config.evaluate import EvaluateConfig
from convoy.evaluation import baseline, errors, intervals, measured, pictures, predictions
from convoy.evaluation.charts import Line, chart, padded
from convoy.evaluation.errors import CLOSE, Measured
from convoy.evaluation.gallery import Sample
from convoy.evaluation.measured import Section, Tile
from convoy.evaluation.metrics import DIGITS
from convoy.evaluation.objectives._base import HELD_OUT, Judged, Subject
from convoy.evaluation.pictures import Shown

Floats = NDArray[np.float64]

_NAMES = {
    "nme": "NME (mean distance of the points, normalised)",
    "pck_10": f"PCK: points within {CLOSE:g} of the length",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "r2": "R²",
}
_DOTS = 400  # samples in a chart
_MOST_CHARTS = 4


@dataclass(frozen=True)
class _Answers:
    """Of both splits, in the order of the stores."""

    subject: Subject
    found: Mapping[str, Measured]

    @property
    def points(self) -> bool:
        return "points" in self.subject.preprocessor

    @property
    def main(self) -> str:
        """The metric that a sample's error averages to."""
        return "nme" if self.points else "mae"


def judge(subject: Subject, config: EvaluateConfig) -> Judged:
    answers = _Answers(subject, {split: _measured(subject, split, subject.raw[split]) for split in HELD_OUT})
    table = predictions.of_numbers(
        {
            split: (subject.stores[split], each.error, _columns(subject, each))
            for split, each in answers.found.items()
        },
        subject.samples,
        subject.view.measures,
    )
    tests = table[table["split"] == "test"].reset_index(drop=True)
    places = subject.places(tests)
    values = _metrics(answers, config)
    damaged, robust = _robustness(answers, config)
    sliced = errors.slices(tests, confidence=config.confidence)
    worst = tests.sort_values(["error", "id"], ascending=[False, True]).head(config.mistakes)
    rows = places[worst.index.to_numpy(np.int64)]
    shown = _drawn(answers, rows)
    captions = [f"{answers.main} {error:.3f}" for error in worst["error"]]
    details = {"per_value": errors.by_value(answers.found["test"], subject.classes)}
    if answers.points:
        details["per_point"] = errors.by_point(answers.found["test"], subject.preprocessor["points"])
    metrics = {**values, **robust}
    return Judged(
        predictions=table,
        calibration={"method": "none"},
        metrics=metrics,
        slices=sliced,
        robustness=damaged,
        details=details,
        page=_page(answers, metrics, config, worst, shown, sliced, damaged, details),
        draw=lambda path: pictures.grid(
            shown, captions, f"The {len(shown)} samples with the largest errors, test", path
        ),
        pictures={"residuals": lambda path: _draw_residuals(answers, path)},
    )


def _measured(subject: Subject, split: str, raw: NDArray[np.float32]) -> Measured:
    """The network's standardised outputs (N, K) in the targets' units, beside the targets of a split."""
    known = subject.preprocessor["target"]
    prediction = raw.astype(np.float64) * known["std"] + known["mean"]
    target = errors.targets(subject.stores[split])
    return Measured(target, prediction, errors.lengths(target, subject.preprocessor))


def _columns(subject: Subject, data: Measured) -> dict[str, NDArray[np.float32]]:
    """Targets and predictions of the predictions table: t:<name> and y:<name>."""
    return {
        f"{kind}:{name}": values[:, n].astype(np.float32)
        for kind, values in (("t", data.target), ("y", data.prediction))
        for n, name in enumerate(subject.classes)
    }


def _metrics(answers: _Answers, config: EvaluateConfig) -> dict[str, Any]:
    """metrics.json, all but the robustness."""
    found = answers.found
    values: dict[str, Any] = {split: errors.summary(found[split]) for split in HELD_OUT}
    how = intervals.Resampling(config.resamples, config.confidence, config.seed)
    tests = found["test"]
    values["intervals"] = intervals.of_weighted(errors.Weighted(tests), len(tests.target), how)
    if config.baseline == "mean":
        mean = np.broadcast_to(answers.subject.preprocessor["target"]["mean"], tests.target.shape)
        simple = Measured(tests.target, np.asarray(mean, np.float64), tests.length)
        difference, interval = intervals.paired_mean(simple.error - tests.error, how)
        known = errors.summary(simple)
        values["baseline"] = {
            "name": "mean",
            **{name: known[name] for name in (answers.main, "mae") if name in known},
            "difference": difference,
            "interval": interval,
        }
    return values


def _robustness(answers: _Answers, config: EvaluateConfig) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The error on damaged samples whose contents stay where they are; empty where it is switched off."""
    subject = answers.subject
    columns = ["corruption", "strength", "setting", "samples", "error", "low", "high"]
    chosen = baseline.subset(len(subject.stores["test"]), config.robustness_samples, config.seed)
    if not len(chosen) or not hasattr(subject.view, "corrupted"):
        return pd.DataFrame(columns=columns), {}
    bf16 = subject.training.get("precision") == "bf16"
    target = errors.targets(subject.stores["test"])[chosen]
    length = errors.lengths(target, subject.preprocessor)
    known = subject.preprocessor["target"]

    def error(samples: Any) -> Floats:
        raw = predictions.logits(subject.net, samples, bf16=bf16).astype(np.float64)
        return Measured(target, raw * known["std"] + known["mean"], length).error

    how = intervals.Resampling(config.resamples, config.confidence, config.seed)
    rows = []
    for name, strength, setting, changed in subject.view.corrupted(subject.tests[chosen], config.seed):
        mean, (low, high) = intervals.paired_mean(error(changed), how)
        rows.append((name, strength, setting, len(chosen), mean, low, high))
    frame = pd.DataFrame(rows, columns=columns)
    frame = frame.sort_values(["corruption", "strength"], ignore_index=True).round(DIGITS)
    by_name = frame.groupby("corruption")["error"].mean()
    means = {str(name): round(float(value), DIGITS) for name, value in by_name.items()}
    untouched = round(float(error(subject.tests[chosen]).mean()), DIGITS)
    return frame, {
        "robustness": {**means, "mean": round(float(by_name.mean()), DIGITS), "untouched": untouched}
    }


def _drawn(answers: _Answers, rows: NDArray[np.int64]) -> list[Shown]:
    """The test samples at `rows`, with their points where they have some."""
    subject, data = answers.subject, answers.found["test"]
    shown = list(subject.view.shown(subject.stores["test"], rows))
    if not answers.points:
        return shown
    target, prediction = (each[rows].reshape(len(rows), -1, 2) for each in (data.target, data.prediction))
    return [pictures.pointed(image, *each) for image, *each in zip(shown, target, prediction, strict=True)]


def _page(
    answers: _Answers,
    metrics: Mapping[str, Any],
    config: EvaluateConfig,
    worst: pd.DataFrame,
    shown: Sequence[Shown],
    sliced: pd.DataFrame,
    damaged: pd.DataFrame,
    details: Mapping[str, pd.DataFrame],
) -> str:
    subject, test = answers.subject, metrics["test"]
    low, high = metrics["intervals"][answers.main]
    ends = f"{100 * config.confidence:g} % interval {low:.4f} – {high:.4f}"
    tiles = [Tile(_NAMES[answers.main].split(" (")[0], f"{test[answers.main]:.4f}", ends)]
    tiles += [
        Tile(_NAMES[name].split(":")[0], f"{test[name]:.4f}", said)
        for name, said in (
            ("pck_10", f"points within {CLOSE:g} of the length"),
            ("r2", "share of the spread that is explained"),
        )
        if name in test
    ]
    found = metrics.get("baseline")
    findings = []
    if found:
        kind = "the mean shape" if answers.points else "the training split's mean"
        tiles.append(Tile("Against the baseline", f"{found[answers.main]:.4f}", f"always {kind}"))
        findings.append(
            f"Always answering with {kind} has an error of {found[answers.main]:.4f}: the model's is smaller "
            f"by {found['difference']:.4f} [{found['interval'][0]:.4f}, {found['interval'][1]:.4f}]."
        )
    if answers.points:
        ends = subject.preprocessor["distance"]
        names = subject.preprocessor["points"]
        findings.append(
            "Distances are in multiples of "
            + (
                f"the distance between the points {names[ends[0]]} and {names[ends[1]]} of each sample."
                if ends
                else "the root of the area of the box around each sample's points."
            )
        )
    marks = " Green: where the points are; red: where the model sees them." if answers.points else ""
    gallery = [
        Sample(
            image=image,
            caption=f"{answers.main} {row['error']:.3f}",
            detail="" if answers.points else _said(subject.classes, row),
            source=str(row["path"]),
        )
        for image, (_, row) in zip(shown, worst.iterrows(), strict=True)
    ]
    sections = [
        Section("worst", "The worst", f"The samples with the largest errors.{marks}", samples=gallery),
        Section("errors", "Errors", _ERRORS[answers.points], charts=_charts(answers)),
    ]
    if answers.points:
        table = details["per_point"].sort_values("nme", ascending=False, kind="stable")
        sections.append(
            Section("points", "Points", "The worst first; all of them in per_point.csv.", table=table)
        )
    else:
        sections.append(Section("values", "Values", "In their own units.", table=details["per_value"]))
    sections += [
        Section("slices", "Slices", "Mean error on parts of the test split, the worst first.", table=sliced),
        Section("robustness", "Robustness", "Mean error on samples damaged on purpose.", table=damaged),
    ]
    return measured.render(
        subject,
        metrics,
        _NAMES,
        tiles=tiles,
        findings=findings,
        sections=sections,
        confidence=config.confidence,
    )


_ERRORS = {
    True: "How many of the test samples have an error of at most so much.",
    False: "What the model said against what is true; on the dashed line it is right.",
}


def _said(names: Sequence[str], row: "pd.Series[Any]") -> str:
    return ", ".join(f"{name}: {row[f'y:{name}']:.4g}, truth {row[f't:{name}']:.4g}" for name in names[:3])


def _charts(answers: _Answers) -> list[dict[str, Any]]:
    data = answers.found["test"]
    if answers.points:
        return [{"name": "Share of samples", "legend": [], "chart": _cumulative(data.error)}]
    return [
        {"name": name, "legend": [], "chart": _scatter(data.target[:, n], data.prediction[:, n], name)}
        for n, name in enumerate(answers.subject.classes[:_MOST_CHARTS])
    ]


def _cumulative(error: Floats) -> Markup:
    shares = np.linspace(0, 1, 101)
    ends = np.quantile(error, shares)
    limit = float(np.quantile(error, 0.98)) or 1.0
    line = [(float(x), float(y)) for x, y in zip(ends, shares, strict=True) if x <= limit]
    return chart(
        [Line(line, sizes=[0.1] * len(line))],
        x=(0.0, limit),
        y=(0.0, 1.0),
        x_label="error",
        title="share of samples with an error of at most",
        percent=True,
    )


def _scatter(target: Floats, prediction: Floats, name: str) -> Markup:
    step = max(1, len(target) // _DOTS)
    dots = [(float(x), float(y)) for x, y in zip(target[::step], prediction[::step], strict=True) if x == x]
    low, high = padded([value for dot in dots for value in dot])
    return chart(
        [Line([(low, low), (high, high)], dashed=True), Line(dots, sizes=[1.6] * len(dots), joined=False)],
        x=(low, high),
        y=(low, high),
        x_label=f"{name}, true",
        title=f"{name}: said against true",
    )


def _draw_residuals(answers: _Answers, path: Any) -> None:
    """Residuals (prediction less target) over the target, a panel for each of the first values."""
    data, names = answers.found["test"], answers.subject.classes
    step = max(1, len(names) // _MOST_CHARTS) if answers.points else 1
    chosen = list(range(0, len(names), step))[:_MOST_CHARTS]
    pictures.residuals(
        [(names[n], data.target[:, n], data.prediction[:, n] - data.target[:, n]) for n in chosen], path
    )
