"""Several labels a sample: a threshold each, fitted on validation; F1, average precision, exact answers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from convoy.config.evaluate import EvaluateConfig
from convoy.evaluation import baseline, errors, intervals, labels, measured, pictures, predictions
from convoy.evaluation.gallery import Sample
from convoy.evaluation.labels import Answered
from convoy.evaluation.measured import Section, Tile
from convoy.evaluation.metrics import DIGITS
from convoy.evaluation.objectives._base import HELD_OUT, Judged, Subject

_NAMES = {
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "mean_ap": "mean average precision",
    "subset_accuracy": "all labels right",
    "hamming_loss": "wrong labels (Hamming loss)",
    "log_loss": "log-loss, nats, mean over the labels",
}


def judge(subject: Subject, config: EvaluateConfig) -> Judged:
    names = subject.classes
    probability = {split: special.expit(raw.astype(np.float64)) for split, raw in subject.raw.items()}
    held = {split: _held(subject, split) for split in HELD_OUT}
    fitted = labels.thresholds(probability["val"].astype(np.float32), held["val"], names)
    limits = np.array([fitted[name]["threshold"] for name in names])
    found = {split: Answered(held[split], p, p >= limits) for split, p in probability.items()}
    table = predictions.of_numbers(
        {
            split: (subject.stores[split], answered.error, _columns(subject, answered))
            for split, answered in found.items()
        },
        subject.samples,
        subject.view.measures,
    )
    tests = table[table["split"] == "test"].reset_index(drop=True)
    values, (damaged, robust) = _metrics(subject, found, config), _robustness(subject, limits, config)
    sliced = errors.slices(tests.drop(columns=["target", "prediction"]), confidence=config.confidence)
    wrong = tests[tests["error"] > 0]
    worst = wrong.sort_values(["error", "id"], ascending=[False, True]).head(config.mistakes)
    shown = list(
        subject.view.shown(subject.stores["test"], subject.places(tests)[worst.index.to_numpy(np.int64)])
    )
    captions = [_told(row) for _, row in worst.iterrows()]
    per_label = labels.by_label(found["test"], names, limits.tolist())
    metrics = {**values, **robust}
    return Judged(
        predictions=table,
        calibration={"method": "none", "thresholds": fitted},
        metrics=metrics,
        slices=sliced,
        robustness=damaged,
        details={"per_label": per_label},
        page=_page(subject, metrics, config, _gallery(worst, shown, captions), [per_label, sliced, damaged]),
        draw=lambda path: pictures.grid(shown, captions, f"The {len(shown)} worst mistakes, test", path),
    )


def _held(subject: Subject, split: str) -> NDArray[np.bool_]:
    values = subject.stores[split].values
    assert values is not None
    return values > 0.5


def _columns(subject: Subject, data: Answered) -> dict[str, NDArray[Any]]:
    """target and prediction (labels between separators), p:<label>."""
    separator, names = subject.preprocessor["separator"], np.array(subject.classes, dtype=object)
    columns: dict[str, NDArray[Any]] = {
        kind: np.array([separator.join(names[row]) for row in rows], dtype=object)
        for kind, rows in (("target", data.target), ("prediction", data.said))
    }
    return columns | {f"p:{name}": data.probability[:, n].astype(np.float32) for n, name in enumerate(names)}


def _metrics(subject: Subject, found: Mapping[str, Answered], config: EvaluateConfig) -> dict[str, Any]:
    values: dict[str, Any] = {split: labels.summary(found[split]) for split in HELD_OUT}
    how = intervals.Resampling(config.resamples, config.confidence, config.seed)
    tests = found["test"]
    values["intervals"] = intervals.of_weighted(labels.Weighted(tests), len(tests.target), how)
    if config.baseline == "mean":
        training = subject.stores["train"].values
        assert training is not None
        share = np.broadcast_to(training.mean(axis=0, dtype=np.float64), tests.target.shape)
        simple = Answered(tests.target, share, share >= 0.5)
        known = labels.summary(simple)
        difference, interval = intervals.paired_mean(simple.error - tests.error, how)
        values["baseline"] = {
            "name": "mean",
            **{name: known[name] for name in ("macro_f1", "hamming_loss", "subset_accuracy")},
            "difference": difference,
            "interval": interval,
        }
    return values


def _robustness(
    subject: Subject, limits: NDArray[np.float64], config: EvaluateConfig
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The share of wrong labels on damaged samples; empty where it is switched off."""
    columns = ["corruption", "strength", "setting", "samples", "error", "low", "high"]
    chosen = baseline.subset(len(subject.stores["test"]), config.robustness_samples, config.seed)
    if not len(chosen) or not hasattr(subject.view, "corrupted"):
        return pd.DataFrame(columns=columns), {}
    bf16, held = subject.training.get("precision") == "bf16", _held(subject, "test")[chosen]

    def error(samples: Any) -> NDArray[np.float64]:
        p = special.expit(predictions.logits(subject.net, samples, bf16=bf16).astype(np.float64))
        return Answered(held, p, p >= limits).error

    how = intervals.Resampling(config.resamples, config.confidence, config.seed)
    rows = []
    for name, strength, setting, changed in subject.view.corrupted(subject.tests[chosen], config.seed):
        mean, (low, high) = intervals.paired_mean(error(changed), how)
        rows.append((name, strength, setting, len(chosen), mean, low, high))
    frame = pd.DataFrame(rows, columns=columns)
    frame = frame.sort_values(["corruption", "strength"], ignore_index=True).round(DIGITS)
    by_name = frame.groupby("corruption")["error"].mean()
    means = {str(name): round(float(value), DIGITS) for name, value in by_name.items()}
    means["mean"] = round(float(by_name.mean()), DIGITS)
    return frame, {
        "robustness": {**means, "untouched": round(float(error(subject.tests[chosen]).mean()), DIGITS)}
    }


def _told(row: "pd.Series[Any]") -> str:
    return f"{row['target'] or 'none'} taken for {row['prediction'] or 'none'}"


def _gallery(worst: pd.DataFrame, shown: Sequence[Any], captions: Sequence[str]) -> list[Sample]:
    return [
        Sample(
            image=image,
            caption=caption,
            detail=f"{row['error']:.0%} of the labels wrong",
            source=str(row["path"]),
        )
        for image, caption, (_, row) in zip(shown, captions, worst.iterrows(), strict=True)
    ]


def _page(
    subject: Subject,
    metrics: Mapping[str, Any],
    config: EvaluateConfig,
    gallery: Sequence[Sample],
    tables: Sequence[pd.DataFrame],
) -> str:
    test, ends = metrics["test"], metrics["intervals"]
    tiles = [
        Tile(
            _NAMES[name],
            f"{test[name]:.4f}",
            f"{100 * config.confidence:g} % interval {low:.4f} – {high:.4f}",
        )
        for name in ("macro_f1", "mean_ap", "subset_accuracy")
        if name in test
        for low, high in [ends[name]]
    ]
    findings = []
    if found := metrics.get("baseline"):
        findings.append(
            "Always saying the labels that most training samples have is wrong in "
            f"{found['hamming_loss']:.4f} of the labels: the model in {found['difference']:.4f} fewer "
            f"[{found['interval'][0]:.4f}, {found['interval'][1]:.4f}]."
        )
    per_label, sliced, damaged = tables
    weakest = per_label.sort_values(["f1", "label"], kind="stable")
    sections = [
        Section("worst", "The worst", "The samples with the most wrong labels.", samples=gallery),
        Section(
            "labels",
            "Labels",
            "The weakest first; a label is said from its threshold on, which was fitted on validation.",
            table=weakest,
        ),
        Section("slices", "Slices", "Share of wrong labels on parts of the test split.", table=sliced),
        Section(
            "robustness", "Robustness", "Share of wrong labels on samples damaged on purpose.", table=damaged
        ),
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
