"""What came of the folds: each one, mean and standard deviation, and all samples predicted out of fold.

The interval is a bootstrap over the samples, each with its predictions of all seeds: how much the score would
differ with other samples. The standard deviation over folds is no error of the mean: the folds' training data
overlap (Bengio & Grandvalet, 2004), so the spread between them understates it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from convoy.config.evaluate import EvaluateConfig
from convoy.evaluation import intervals, metrics
from convoy.evaluation.predictions import class_names
from convoy.folds.plan import DONE, Plan
from convoy.io import atomic_path, read_json, write_json, write_text
from convoy.layout import EVALUATE

TABLE, PREDICTIONS, RESULT = "folds.csv", "predictions.parquet", "result.json"
_DIGITS = 6


@dataclass(frozen=True)
class Result:
    """Attributes:
    folder: of the files.
    metric: the gate's, which people look at.
    table: one row a fold: seed, fold, samples, seconds, every metric of the test split, baseline_…
    mean, sd: of every metric over the folds.
    pooled: every metric of all predictions out of fold.
    interval: [low, high] of those.
    confidence: of the interval.
    seeds: (seed, mean over its folds of the metric), where there are several.
    """

    folder: Path
    key: str
    metric: str
    table: pd.DataFrame
    predictions: pd.DataFrame
    mean: dict[str, float]
    sd: dict[str, float]
    pooled: dict[str, float]
    interval: dict[str, list[float]]
    confidence: float
    seeds: list[tuple[int, float]]

    def as_dict(self) -> dict[str, Any]:
        rows = [{key: _plain(value) for key, value in row.items()} for row in self.table.to_dict("records")]
        return {
            "key": self.key,
            "metric": self.metric,
            "folds": rows,
            "mean": self.mean,
            "sd": self.sd,
            "pooled": self.pooled,
            "interval": self.interval,
            "confidence": self.confidence,
            "seeds": [{"seed": seed, "mean": mean} for seed, mean in self.seeds],
            "predictions": str(self.folder / PREDICTIONS),
            "table": str(self.folder / TABLE),
        }


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def collect(made: Plan) -> Result:
    """Read what the folds left."""
    records = [read_json(fold.folder / DONE) for fold in made.folds]
    table = pd.DataFrame([_row(record) for record in records])
    parts = [
        _tested(pd.read_parquet(fold.folder / EVALUATE / PREDICTIONS)).assign(
            seed=fold.seed, fold=fold.number
        )
        for fold in made.folds
    ]
    predictions = pd.concat(parts, ignore_index=True)
    first = ["id", "seed", "fold"]
    predictions = predictions[[*first, *(name for name in predictions.columns if name not in first)]]
    values = table.drop(columns=["seed", "fold", "samples", "seconds"])
    pooled, interval = _pooled(predictions, made.seeds, made.config.evaluate)
    wanted = made.config.registration.gate.metric
    metric = wanted if wanted in values else str(values.columns[0])
    several = [seed for seed in made.seeds if seed is not None and len(made.seeds) > 1]
    return Result(
        folder=made.folder,
        key=made.key,
        metric=metric,
        table=table,
        predictions=predictions,
        mean=_rounded(values.mean()),
        sd=_rounded(values.std(ddof=1)),
        pooled=pooled,
        interval=interval,
        confidence=made.config.evaluate.confidence,
        seeds=[
            (seed, round(float(table.loc[table["seed"] == seed, metric].mean()), _DIGITS)) for seed in several
        ],
    )


def write(made: Plan, found: Result) -> None:
    """folds.csv, predictions.parquet and, last, result.json."""
    write_text(made.folder / TABLE, found.table.to_csv(index=False, lineterminator="\n"))
    with atomic_path(made.folder / PREDICTIONS) as temporary:
        found.predictions.to_parquet(temporary, index=False)
    write_json(made.folder / RESULT, found.as_dict())


def _row(record: dict[str, Any]) -> dict[str, Any]:
    tested = dict(record["metrics"]["test"])
    samples = tested.pop("samples", None)
    baseline = {
        f"baseline_{name}": value
        for name, value in record["metrics"].get("baseline", {}).items()
        if name in tested
    }
    row = {"seed": record["seed"], "fold": record["fold"], "samples": samples, "seconds": record["seconds"]}
    return {**row, **tested, **baseline}


def _tested(predictions: pd.DataFrame) -> pd.DataFrame:
    return predictions[predictions["split"] == "test"].drop(columns="split")


def _pooled(
    predictions: pd.DataFrame, seeds: Sequence[int | None], config: EvaluateConfig
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """All metrics of the predictions out of fold, their intervals but those of areas; of classes alone."""
    ordered = predictions.assign(_seed=predictions["seed"].fillna(-1)).sort_values(
        ["_seed", "id"], kind="stable", ignore_index=True
    )
    if not class_names(ordered):  # no classification: nothing that is a sum over samples
        return {}, {}
    data = metrics.scored(ordered)
    weighted, samples = metrics.Weighted(data), len(ordered) // len(seeds)
    found: dict[str, list[np.ndarray[Any, Any]]] = {}
    for weights in intervals.draws(samples, config.resamples, config.seed):
        for name, values in weighted.sums(np.tile(weights, (len(seeds), 1))).items():
            found.setdefault(name, []).append(values)
    ends = {
        name: intervals.percentile(np.concatenate(parts), config.confidence) for name, parts in found.items()
    }
    return metrics.summary(data), {name: interval for name, interval in ends.items() if interval is not None}


def _rounded(values: "pd.Series[float]") -> dict[str, float]:
    return {str(name): round(float(value), _DIGITS) for name, value in values.items() if np.isfinite(value)}
