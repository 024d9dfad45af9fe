"""report.html: one self-contained page that says what a model gets wrong, pictures first."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.evaluation import panels
from convoy.evaluation.findings import Findings
from convoy.evaluation.gallery import Sample, entries
from convoy.evaluation.page import page, share
from convoy.evaluation.pictures import Shown, inset

Indices = NDArray[np.int64]
Samples = Callable[[Indices], Sequence[Shown]]
Explain = Callable[[Indices, Indices], Sequence[tuple[Shown, Shown | None]]]

_PAIRS, _EXAMPLES = 9, 4
_MOST_MISTAKES = 60  # keeps the page below 5 MB
_SECTIONS = {
    "pairs": "What it confuses",
    "mistakes": "The worst mistakes",
    "matrix": "Confusion matrix",
    "classes": "Classes",
    "slices": "Slices",
    "calibration": "Calibration",
    "robustness": "Robustness",
    "learning": "Learning",
    "baseline": "Baseline",
    "metrics": "All metrics",
    "facts": "Made from",
}
_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "top_3_accuracy": "top-3 accuracy",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "mcc": "Matthews correlation",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
    "log_loss": "log-loss, nats",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
}
_ORDER = {name: number for number, name in enumerate(_NAMES.values())}


@dataclass(frozen=True)
class ReportInputs:
    """What the page is made of. Optional tables that are None (or empty) leave their section out.

    Attributes:
        title: name of the model and its data.
        classes: names, in the order of the network's outputs.
        metrics: of metrics.json.
        predictions: the predictions table, all splits.
        samples: positions (K,) among the rows of split test -> what is shown of them.
        explain: positions (K,) and class indices (K,) -> what is shown of each sample, and what spoke for the
            class where that stands beside it; None: it is not explained.
        things: what samples are called.
        explained: how `explain` is described, a sentence.
        per_class: class, precision, recall, f1, support; rows of averages end in " average".
        slices: slice, samples, accuracy, low, high, difference; the worst first.
        robustness: corruption, strength (1, 2, 3), setting (in words), accuracy, low, high.
        reliability: split, stage (before, after), bin, confidence, accuracy, count.
        calibration: of calibration.json.
        history: epoch, train_loss, val_loss, val_accuracy.
        best_epoch: counted from 0, whose weights were kept.
        facts: parameters and provenance, label -> value, in the order in which they are shown.
        confidence: of the intervals.
        mistakes: how many of the worst are shown.
    """

    title: str
    classes: Sequence[str]
    metrics: Mapping[str, Any]
    predictions: pd.DataFrame
    samples: Samples
    explain: Explain | None = None
    things: str = "pictures"
    explained: str = ""
    per_class: pd.DataFrame | None = None
    slices: pd.DataFrame | None = None
    robustness: pd.DataFrame | None = None
    reliability: pd.DataFrame | None = None
    calibration: Mapping[str, Any] | None = None
    history: pd.DataFrame | None = None
    best_epoch: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    confidence: float = 0.95
    mistakes: int = 25


def render(inputs: ReportInputs) -> str:
    """The page, HTML; the same inputs give the same bytes."""
    findings = Findings(inputs.predictions, inputs.classes)
    overall = inputs.metrics["test"].get("accuracy")
    undamaged = inputs.metrics.get("robustness", {}).get("untouched", overall)
    thresholds = (inputs.calibration or {}).get("thresholds", {})
    shown: dict[str, Any] = {
        "pairs": _pairs(inputs, findings),
        "mistakes": _mistakes(inputs, findings),
        "matrix": panels.matrix(findings, inputs.classes),
        "classes": panels.classes(inputs.per_class, findings, inputs.classes, thresholds),
        "slices": panels.slices(inputs.slices, overall),
        "calibration": panels.calibration(inputs.calibration, inputs.reliability, inputs.confidence),
        "robustness": panels.robustness(inputs.robustness, undamaged),
        "learning": panels.learning(inputs.history, inputs.best_epoch),
        "baseline": panels.baseline(inputs.metrics),
        "metrics": _metrics(inputs.metrics),
        "facts": [(name, str(value)) for name, value in inputs.facts.items()],
    }
    return page(
        "report.html",
        title=inputs.title,
        confidence=f"{100 * inputs.confidence:g} %",
        head=_head(inputs, findings, shown["pairs"]),
        explained=inputs.explained if inputs.explain is not None else "",
        things=inputs.things,
        sections=[(name, title, bool(shown[name])) for name, title in _SECTIONS.items()],
        **shown,
    )


def _head(inputs: ReportInputs, findings: Findings, pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    test = inputs.metrics["test"]
    return {
        "accuracy": test.get("accuracy"),
        "interval": inputs.metrics.get("intervals", {}).get("accuracy"),
        "ece": test.get("ece"),
        "mistakes": len(findings.worst),
        "samples": len(findings.test),
        "classes": len(inputs.classes),
        "pairs": findings.confusions,
        "often": [pair for pair in pairs if pair["count"] > 1][:3],
    }


def _pairs(inputs: ReportInputs, findings: Findings) -> list[dict[str, Any]]:
    return [
        {
            "target": inputs.classes[pair.target],
            "prediction": inputs.classes[pair.prediction],
            "count": pair.count,
            "support": pair.support,
            "reverse": pair.reverse,
            "thumbnails": [inset(sample) for sample in inputs.samples(pair.rows)],
        }
        for pair in findings.pairs(_PAIRS, _EXAMPLES)
    ]


def _mistakes(inputs: ReportInputs, findings: Findings) -> list[dict[str, Any]]:
    rows = findings.worst[: min(inputs.mistakes, _MOST_MISTAKES)]
    if not len(rows):
        return []
    shown: Sequence[tuple[Shown, Shown | None]] = (
        inputs.explain(rows, findings.prediction[rows])
        if inputs.explain
        else [(sample, None) for sample in inputs.samples(rows)]
    )
    samples = [
        Sample(
            image=shown[number][0],
            caption=f"{row['target']} taken for {row['prediction']}",
            detail=f"{share(row['confidence'])} sure, truth {share(math.exp(-row['loss']))}",
            source=str(row["path"]),
            heat=shown[number][1],
        )
        for number, row in enumerate(findings.test.loc[rows].to_dict("records"))
    ]
    return entries(samples)


def _metrics(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Every metric of the test split; those that are counts are told at the head of the page."""
    intervals, val, augmented = (metrics.get(name, {}) for name in ("intervals", "val", "tta"))
    rows = [
        {
            "name": _NAMES.get(name, name.replace("_", " ")),
            "test": float(value),
            "interval": intervals.get(name),
            "val": val.get(name),
            "augmented": augmented.get(name),
        }
        for name, value in metrics["test"].items()
        if name != "samples"
    ]
    rows.sort(key=lambda row: (_ORDER.get(row["name"], len(_ORDER)), row["name"]))
    return {"rows": rows, "augmented": any(row["augmented"] is not None for row in rows)}
