"""One class a sample: calibrated probabilities, accuracy and its kin, confusions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.evaluate import EvaluateConfig
from convoy.data import policies
from convoy.data.loader import batch_key
from convoy.evaluation import (
    baseline,
    calibration,
    intervals,
    metrics,
    pictures,
    predictions,
    report,
    robustness,
    slices,
)
from convoy.evaluation.objectives._base import HELD_OUT, Judged, Subject

_BATCH = 256


@dataclass(frozen=True)
class _Answers:
    """Probabilities of both splits in the order of the stores.

    Attributes:
        plain: split -> (N, classes) without calibration.
        probability: split -> those of the calibrated model.
    """

    subject: Subject
    temperature: float

    @cached_property
    def plain(self) -> dict[str, NDArray[np.float32]]:
        return {split: predictions.softmax(values) for split, values in self.subject.raw.items()}

    @cached_property
    def probability(self) -> dict[str, NDArray[np.float32]]:
        raw = self.subject.raw
        return {split: predictions.softmax(values, self.temperature) for split, values in raw.items()}

    @property
    def targets(self) -> dict[str, NDArray[np.int64]]:
        return {split: self.subject.stores[split].target for split in HELD_OUT}


def judge(subject: Subject, config: EvaluateConfig) -> Judged:
    temperature = 1.0
    if config.calibration == "temperature":
        temperature = calibration.fit(subject.raw["val"], subject.stores["val"].target)
    answers = _Answers(subject, temperature)
    table = predictions.table(
        {split: (subject.stores[split], answers.probability[split]) for split in HELD_OUT},
        subject.classes,
        subject.samples,
        subject.view.measures,
    )
    tests = table[table["split"] == "test"].reset_index(drop=True)
    calibrated, reliability = _calibration(answers, config)
    corrupted, robust = _robustness(subject, config)
    tables = {
        "per_class": metrics.per_class(metrics.scored(tests)),
        "slices": slices.report(tests, confidence=config.confidence),
        "robustness": corrupted,
        "reliability": reliability,
    }
    values = {**_metrics(answers, table, config), **robust}
    store, places = subject.stores["test"], subject.places(tests)
    page = report.ReportInputs(
        title=str(subject.training["model"]["name"]),
        classes=subject.classes,
        metrics=values,
        predictions=table,
        samples=lambda rows: subject.view.shown(store, places[rows]),
        explain=lambda rows, classes: subject.view.explained(
            subject.net, store, places[rows], classes, subject.preprocessor
        ),
        things=subject.view.NOUNS,
        explained=subject.view.EXPLAINED,
        calibration=calibrated,
        history=subject.history,
        best_epoch=subject.training.get("best_epoch"),
        facts=subject.facts,
        confidence=config.confidence,
        mistakes=config.mistakes,
        **tables,
    )
    wrong = tests[tests["target"] != tests["prediction"]]
    worst = wrong.sort_values(["loss", "id"], ascending=[False, True]).head(config.mistakes)
    rows = places[worst.index.to_numpy(np.int64)]
    matrix = metrics.confusion(metrics.scored(tests))
    return Judged(
        predictions=table,
        calibration=calibrated,
        metrics=values,
        slices=tables["slices"],
        robustness=corrupted,
        details={
            "per_class": tables["per_class"],
            "reliability": reliability,
            "confusion": tests[["target", "prediction"]],  # by DVC's confusion template
        },
        page=report.render(page),
        draw=lambda path: subject.view.draw_mistakes(worst, store, rows, subject.classes, path),
        pictures={"confusion": lambda path: pictures.confusion(matrix, subject.classes, path)},
    )


def _calibration(answers: _Answers, config: EvaluateConfig) -> tuple[dict[str, Any], pd.DataFrame]:
    """calibration.json and the reliability table."""
    facts, reliability = calibration.comparison(answers.plain, answers.probability, answers.targets)
    thresholds = calibration.thresholds(
        answers.probability["val"], answers.targets["val"], answers.subject.classes
    )
    chosen = {"method": config.calibration, "temperature": answers.temperature}
    return {**chosen, **facts, "thresholds": thresholds}, reliability


def _metrics(answers: _Answers, table: pd.DataFrame, config: EvaluateConfig) -> dict[str, Any]:
    """metrics.json, all but the robustness."""
    subject = answers.subject
    scored = {split: metrics.scored(table[table["split"] == split]) for split in HELD_OUT}
    values: dict[str, Any] = {split: metrics.summary(scored[split]) for split in HELD_OUT}
    how = intervals.Resampling(config.resamples, config.confidence, config.seed)
    values["intervals"] = intervals.bootstrap(scored["test"], how)
    values["baseline"] = baseline.compare(
        config.baseline,
        subject.stores["train"],
        subject.stores["test"],
        answers.probability["test"].argmax(axis=1),
        subject.classes,
        how,
        subject.view.BASELINES,
    )
    if config.tta:
        averaged = metrics.of_probabilities(
            _averaged(answers, config), answers.targets["test"], subject.classes
        )
        values["tta"] = {"copies": config.tta, **metrics.summary(averaged)}
    return values


def _averaged(answers: _Answers, config: EvaluateConfig) -> NDArray[np.float32]:
    """Mean probabilities (N, classes) of the test samples and of their augmented copies."""
    subject = answers.subject
    policy = policies.of(subject.preprocessor, subject.training["augment"]["transforms"])
    samples = subject.tests
    total = answers.probability["test"].astype(np.float64)
    for copy in range(config.tta):
        for start in range(0, len(samples), _BATCH):
            rows = slice(start, start + _BATCH)
            changed = subject.view.changed(policy, samples, rows, batch_key(config.seed, copy, start))
            total[rows] += predictions.softmax(predictions.logits(subject.net, changed), answers.temperature)
    return (total / (config.tta + 1)).astype(np.float32)


def _robustness(subject: Subject, config: EvaluateConfig) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table, and {"robustness": means}, empty where it is switched off.

    Computed in the number format that training chose for this processor.
    """
    store, bf16 = subject.stores["test"], subject.training.get("precision") == "bf16"
    chosen = baseline.subset(len(store), config.robustness_samples, config.seed)
    samples, target = subject.tests[chosen], store.target[chosen]

    def answer(some: Any) -> NDArray[np.int64]:
        answers: NDArray[np.int64] = predictions.logits(subject.net, some, bf16=bf16).argmax(axis=1)
        return answers

    table: pd.DataFrame = subject.view.damaged(
        samples, target, answer, confidence=config.confidence, seed=config.seed
    )
    if table.empty:
        return table, {}
    untouched = float((answer(samples) == target).mean())
    return table, {"robustness": robustness.means(table, untouched)}
