"""Autoencoders: how well samples are restored, what the codes hold, which samples are unlike the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from convoy.config.evaluate import EvaluateConfig
from convoy.evaluation import (
    baseline,
    components,
    errors,
    intervals,
    latent,
    pictures,
    predictions,
    restoring,
)
from convoy.evaluation.components import Components
from convoy.evaluation.metrics import DIGITS
from convoy.evaluation.objectives._base import HELD_OUT, Judged, Subject
from convoy.evaluation.restored_page import render
from convoy.evaluation.restoring import Means, Restored
from convoy.io import write_bytes

_QUANTILE = 0.99  # of validation errors, above which a sample is called anomalous
_SHOWN = 32  # reconstructions in the picture
_DOTS = 4000  # codes in the plane


@dataclass(frozen=True)
class _Answers:
    """What the network makes of the splits, in the order of the stores."""

    subject: Subject
    config: EvaluateConfig

    @cached_property
    def found(self) -> dict[str, Restored]:
        return {split: restoring.restored(self.subject.net, self.images(split)) for split in HELD_OUT}

    @cached_property
    def learned(self) -> NDArray[np.float32]:
        """Codes of the training split."""
        return restoring.encoded(self.subject.net, self.images("train"))

    @cached_property
    def components(self) -> Components:
        return components.fit(self.images("train"), self.learned.shape[1], self.config.seed)

    @property
    def labels(self) -> list[str]:
        """Names of the stores' targets; several, where samples have labels."""
        return list(self.subject.preprocessor["labels"])

    def images(self, split: str) -> NDArray[np.uint8]:
        images: NDArray[np.uint8] = self.subject.view.samples(
            self.subject.stores[split], self.subject.preprocessor
        )
        return images

    def target(self, split: str) -> NDArray[np.int64]:
        return self.subject.stores[split].target


def judge(subject: Subject, config: EvaluateConfig) -> Judged:
    answers = _Answers(subject, config)
    limit = float(np.quantile(answers.found["val"].error, _QUANTILE))
    table = _table(answers)
    tests = table[table["split"] == "test"].reset_index(drop=True)
    places = subject.places(tests)
    values = _metrics(answers)
    damaged, robust = _robustness(answers)
    metrics = {**values, **robust, "anomaly": _anomalous(answers, limit)}
    sliced = errors.slices(
        tests.drop(columns=list(restoring.MEASURES), errors="ignore"), confidence=config.confidence
    )
    worst = tests.sort_values(["error", "id"], ascending=[False, True]).head(config.mistakes)
    shown = _pairs(answers, places[worst.index.to_numpy(np.int64)])
    some = _pairs(
        answers, np.unique(np.linspace(0, len(tests) - 1, min(_SHOWN, len(tests))).astype(np.int64))
    )
    plane = _plane(answers)
    page = render(
        subject,
        metrics,
        config,
        worst=worst,
        shown=shown,
        some=some,
        plane=plane,
        sliced=sliced,
        damaged=damaged,
        error=answers.found["test"].error,
        limit=limit,
    )
    heading = f"The {len(shown)} samples with the largest errors, test: original above, reconstruction below"
    return Judged(
        predictions=table,
        calibration={"method": "none", "anomaly": {"threshold": limit, "quantile": _QUANTILE}},
        metrics=metrics,
        slices=sliced,
        robustness=damaged,
        details={},
        page=page,
        draw=lambda path: pictures.grid(list(shown), [f"mse {e:.4f}" for e in worst["error"]], heading, path),
        pictures={
            "reconstructions": lambda path: latent.draw_pairs(some, path),
            "latent": lambda path: write_bytes(path, plane),
        },
        frames={"embeddings": _embeddings(answers)},
    )


def _table(answers: _Answers) -> pd.DataFrame:
    """The predictions: `error` (mse, the anomaly score), label, mae, psnr, ssim."""
    names = np.array(answers.labels, dtype=object)
    several = len(names) > 1
    held = {}
    for split, each in answers.found.items():
        columns: dict[str, NDArray[Any]] = {"label": names[answers.target(split)]} if several else {}
        columns |= {str(name): each.errors[name].to_numpy() for name in each.errors if name != "mse"}
        held[split] = (answers.subject.stores[split], each.error, columns)
    return predictions.of_numbers(held, answers.subject.samples, answers.subject.view.measures)


def _metrics(answers: _Answers) -> dict[str, Any]:
    """metrics.json, all but robustness and anomalies."""
    config, found = answers.config, answers.found
    values: dict[str, Any] = {split: restoring.summary(found[split].errors) for split in HELD_OUT}
    how = intervals.Resampling(config.resamples, config.confidence, config.seed)
    tests = found["test"]
    values["intervals"] = intervals.of_weighted(Means(tests.errors), len(tests.error), how)
    if config.baseline != "none":
        known, simple = _simple(answers)
        difference, interval = intervals.paired_mean(simple.to_numpy(np.float64) - tests.error, how)
        values["baseline"] = {**known, "difference": difference, "interval": interval}
    if len(answers.labels) > 1:
        values["probe"] = _probe(answers, how)
        values["test"]["probe_accuracy"] = values["probe"]["accuracy"]
        values["intervals"]["probe_accuracy"] = values["probe"]["accuracy_interval"]
    return values


def _simple(answers: _Answers) -> tuple[dict[str, Any], "pd.Series[float]"]:
    """The baseline's figures, and its squared error of each test sample (N,)."""
    training, tests = answers.images("train"), answers.images("test")
    mean = (training.mean(axis=0, dtype=np.float64) / 255).astype(np.float32)
    of_mean = restoring.compared(tests, lambda some: np.broadcast_to(mean, some.shape))
    if answers.config.baseline == "mean":
        return {"name": "mean", **_plain(of_mean), "trained_on": len(training)}, of_mean["mse"]
    found = restoring.compared(tests, answers.components.restored)
    return {
        "name": "pca",
        "components": answers.components.count,
        **_plain(found),
        "mean_picture": _plain(of_mean)["mse"],
        "trained_on": len(answers.components.rows),
    }, found["mse"]


def _plain(found: pd.DataFrame) -> dict[str, float]:
    return {name: value for name, value in restoring.summary(found).items() if name != "samples"}


def _probe(answers: _Answers, how: intervals.Resampling) -> dict[str, Any]:
    """What a logistic regression reads from the codes, and from as many principal components.

    Both learn from the same training samples; `difference` is the codes' advantage, paired.
    """
    rows, target = answers.components.rows, answers.target("test")
    labels = answers.target("train")[rows]
    training, tests = answers.images("train"), answers.images("test")
    codes = components.probe(answers.learned[rows], labels, answers.found["test"].codes)
    parts = answers.components
    principal = components.probe(parts.codes(training[rows]), labels, parts.codes(tests))
    right, other = codes == target, principal == target
    difference, interval = intervals.paired_accuracy(right, other, how)
    low, high = intervals.wilson(np.array([right.sum()]), np.array([len(right)]), how.confidence)
    return {
        "features": int(answers.learned.shape[1]),
        "accuracy": round(float(right.mean()), DIGITS),
        "accuracy_interval": [round(float(low[0]), DIGITS), round(float(high[0]), DIGITS)],
        "pca_accuracy": round(float(other.mean()), DIGITS),
        "difference": difference,
        "interval": interval,
        "trained_on": len(rows),
    }


def _anomalous(answers: _Answers, limit: float) -> dict[str, Any]:
    share = float((answers.found["test"].error > limit).mean())
    return {"threshold": limit, "quantile": _QUANTILE, "test_share": round(share, DIGITS)}


def _robustness(answers: _Answers) -> tuple[pd.DataFrame, dict[str, Any]]:
    """How far reconstructions of damaged samples are from the undamaged ones; empty where it is off."""
    subject, config = answers.subject, answers.config
    columns = ["corruption", "strength", "setting", "samples", "error", "low", "high"]
    chosen = baseline.subset(len(subject.stores["test"]), config.robustness_samples, config.seed)
    if not len(chosen) or not hasattr(subject.view, "corrupted"):
        return pd.DataFrame(columns=columns), {}
    images, bf16 = answers.images("test")[chosen], subject.training.get("precision") == "bf16"
    how = intervals.Resampling(config.resamples, config.confidence, config.seed)
    rows = []
    for name, strength, setting, changed in subject.view.corrupted(images, config.seed):
        error = restoring.restored(subject.net, changed, images, bf16=bf16).error
        mean, (low, high) = intervals.paired_mean(error, how)
        rows.append((name, strength, setting, len(chosen), mean, low, high))
    frame = pd.DataFrame(rows, columns=columns)
    frame = frame.sort_values(["corruption", "strength"], ignore_index=True).round(DIGITS)
    by_name = frame.groupby("corruption")["error"].mean()
    means: Mapping[str, float] = {str(n): round(float(value), DIGITS) for n, value in by_name.items()}
    untouched = round(float(restoring.restored(subject.net, images, bf16=bf16).error.mean()), DIGITS)
    return frame, {
        "robustness": {**means, "mean": round(float(by_name.mean()), DIGITS), "untouched": untouched}
    }


def _pairs(answers: _Answers, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Test samples at `rows` above their reconstructions."""
    images = np.take(answers.images("test"), rows, axis=0)
    return latent.stacked(images, restoring.outputs(answers.subject.net, images)[1])


def _plane(answers: _Answers) -> bytes:
    """The test samples' codes in the plane, a PNG."""
    codes = answers.found["test"].codes
    chosen = baseline.subset(len(codes), _DOTS, answers.config.seed)
    places, shares = components.plane(codes)
    return latent.plane(places[chosen], answers.target("test")[chosen], answers.labels, shares)


def _embeddings(answers: _Answers) -> pd.DataFrame:
    """id, split, label (where there are several), e:0 … of every sample, by split and id."""
    names = np.array(answers.labels, dtype=object)
    frames = []
    for split, codes in {"train": answers.learned, **{s: r.codes for s, r in answers.found.items()}}.items():
        known = {
            "id": [value.decode("ascii") for value in answers.subject.stores[split].id.tolist()],
            "split": split,
        }
        label = {"label": names[answers.target(split)]} if len(names) > 1 else {}
        numbers = {f"e:{number}": codes[:, number] for number in range(codes.shape[1])}
        frames.append(pd.DataFrame({**known, **label, **numbers}))
    return pd.concat(frames).sort_values(["split", "id"], kind="stable", ignore_index=True)
