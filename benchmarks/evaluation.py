"""(a) The evaluate stage's own work, all but the network: calibration, intervals, slices, tables, report.

On synthetic answers of a classifier that is right nine times in ten and too sure of itself; its pictures are
noise. Beside it three of the intervals by scikit-learn and scipy.stats.bootstrap, one resample at a time.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.measure import Report, Side, in_turns, spread, verdict
from convoy.evaluation import calibration, intervals, metrics, predictions, report, slices

TARGET = 20.0  # seconds
SAMPLES, CLASSES, RESAMPLES = 10_000, 10, 2_000
_VAL = 2_000
_SIDE = 28
_PEER_RESAMPLES = 20  # of the peer's; its time is scaled to RESAMPLES
_SHARED = ("accuracy", "macro_f1", "roc_auc")


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    logits, target = _answers(SAMPLES + _VAL)
    kept: dict[str, list[float]] = {}

    def ours() -> float:
        start = time.perf_counter()
        for name, seconds in _whole(logits, target).items():
            kept.setdefault(name, []).append(seconds)
        return time.perf_counter() - start

    data = metrics.of_probabilities(predictions.softmax(logits[:SAMPLES]), target[:SAMPLES], _names())
    seconds = in_turns(
        {"ours": ours, "13 intervals": _ours_alone(data), "peer": _peer(data)}, min(rounds, 3), progress
    )
    total, peer = median(seconds["ours"]), median(seconds["peer"])
    parts = {name: median(taken[1:]) for name, taken in kept.items()}
    many = f"13 intervals, {RESAMPLES:,} resamples"
    few = f"{len(_SHARED)} of them by scikit-learn and scipy, scaled from {_PEER_RESAMPLES} resamples"
    return Report(
        title=f"(a) seconds of evaluate's own work, {SAMPLES:,} predictions, {CLASSES} classes",
        columns=["work", "s (least–most)", f"target ≤ {TARGET:.0f} s"],
        rows=[
            ["all of it", spread(seconds["ours"]), verdict(total, TARGET)],
            *[[f"  of this {name}", f"{value:.2f}", ""] for name, value in parts.items()],
            [many, spread(seconds["13 intervals"]), ""],
            [few, f"{peer:.1f}", ""],
        ],
        notes=[
            "Heat-maps, robustness and baseline run models; they are no part of it.",
            f"The peer's three intervals take {peer / median(seconds['13 intervals']):.0f} times ours of 13.",
        ],
        data={"seconds": seconds, "parts": parts, "target": TARGET, "met": total <= TARGET},
    )


def _names() -> list[str]:
    return [f"class {number}" for number in range(CLASSES)]


def _answers(count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(0)
    target = random.integers(0, CLASSES, count)
    logits = random.normal(size=(count, CLASSES))
    logits[np.arange(count), target] += np.where(random.random(count) < 0.9, 4.0, 0.0)
    return (2 * logits).astype(np.float32), target


def _whole(logits: NDArray[np.float32], target: NDArray[np.int64]) -> dict[str, float]:
    """Seconds of each part, from logits to the page."""
    taken: dict[str, float] = {}
    last = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        taken[name], last = now - last, now

    parts = {"test": slice(0, SAMPLES), "val": slice(SAMPLES, None)}
    temperature = calibration.fit(logits[parts["val"]], target[parts["val"]])
    plain = {split: predictions.softmax(logits[rows]) for split, rows in parts.items()}
    scaled = {split: predictions.softmax(logits[rows], temperature) for split, rows in parts.items()}
    targets = {split: target[rows] for split, rows in parts.items()}
    facts, reliability = calibration.comparison(plain, scaled, targets)
    thresholds = calibration.thresholds(scaled["val"], targets["val"], _names())
    lap("calibration")
    table = pd.concat([_table(split, scaled[split], targets[split]) for split in parts], ignore_index=True)
    scored = {split: metrics.scored(table[table["split"] == split]) for split in parts}
    values: dict[str, Any] = {split: metrics.summary(scored[split]) for split in parts}
    lap("metrics")
    values["intervals"] = intervals.bootstrap(scored["test"], intervals.Resampling(RESAMPLES, 0.95, 0))
    lap("intervals")
    tests = table[table["split"] == "test"].reset_index(drop=True)
    by_slice = slices.report(tests, confidence=0.95)
    lap("slices")
    pixels = np.random.default_rng(1).integers(0, 256, (SAMPLES, _SIDE, _SIDE, 1), dtype=np.uint8)
    history = pd.DataFrame({"epoch": range(1, 21), "train_loss": 0.1, "val_loss": 0.1, "val_accuracy": 0.9})
    page = report.render(
        report.ReportInputs(
            title="benchmark",
            classes=_names(),
            metrics=values,
            predictions=table,
            samples=lambda positions: list(pixels[positions]),
            per_class=metrics.per_class(scored["test"]),
            slices=by_slice,
            reliability=reliability,
            calibration={
                "method": "temperature",
                "temperature": temperature,
                **facts,
                "thresholds": thresholds,
            },
            history=history,
        )
    )
    assert page
    lap("report")
    return taken


def _table(split: str, probability: NDArray[np.float32], target: NDArray[np.int64]) -> pd.DataFrame:
    """What `predictions.table` makes, without a store."""
    random, names = np.random.default_rng(2), np.asarray(_names(), dtype=object)
    facts = {
        "id": [f"{n:032x}" for n in range(len(target))],
        "split": split,
        "path": [f"{split}/{n}.png" for n in range(len(target))],
        "target": names[target],
        "prediction": names[probability.argmax(axis=1)],
        "confidence": probability.max(axis=1),
        "loss": predictions.losses(probability, target),
        "width": random.integers(20, 400, len(target)),
        "height": random.integers(20, 400, len(target)),
        "mode": names[random.integers(0, 3, len(target))],
        "bytes": random.integers(1_000, 100_000, len(target)),
        "brightness": random.uniform(0, 255, len(target)).round(2),
    }
    return pd.DataFrame(facts | {f"p:{name}": probability[:, n] for n, name in enumerate(_names())})


def _ours_alone(data: metrics.Scored) -> Side:
    def side() -> float:
        start = time.perf_counter()
        intervals.bootstrap(data, intervals.Resampling(RESAMPLES, 0.95, 0))
        return time.perf_counter() - start

    return side


def _peer(data: metrics.Scored) -> Side:
    from scipy import stats
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    def statistic(index: NDArray[np.int64]) -> NDArray[np.float64]:
        target, prediction = data.target[index], data.prediction[index]
        return np.array(
            [
                accuracy_score(target, prediction),
                f1_score(target, prediction, average="macro"),
                roc_auc_score(target, data.probability[index], multi_class="ovr"),
            ]
        )

    def side() -> float:
        start = time.perf_counter()
        stats.bootstrap(
            (np.arange(len(data.target)),), statistic, vectorized=False, n_resamples=_PEER_RESAMPLES,
            method="percentile", rng=np.random.default_rng(0),
        )  # fmt: skip
        return (time.perf_counter() - start) * RESAMPLES / _PEER_RESAMPLES

    return side
