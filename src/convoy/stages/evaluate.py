"""Stage `evaluate`: every prediction, calibrated; metrics with intervals; tables, pictures, a report."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from convoy import plugins
from convoy.config.evaluate import EvaluateConfig
from convoy.data.loader import batch_key
from convoy.data.store import Store
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
from convoy.io import atomic_path, fresh_dir, read_json, write_json, write_text
from convoy.layout import EVALUATE, PREPARE, SPLIT, TRAIN
from convoy.training import network

if TYPE_CHECKING:
    from convoy.config.schema import Config

SPLITS = ("val", "test")
_BATCH = 256
_FACTS = ("parameters", "device", "precision", "threads", "epochs_run", "seed", "data_digest", "torch")


@dataclass(frozen=True)
class _Model:
    """The trained network, and what it says of both splits in the order of the stores.

    Attributes:
        view: of the modality (see `convoy.evaluation.modalities`).
        training: of training.json.
        plain: split -> probabilities (N, classes) without calibration.
        probability: split -> those of the calibrated model.
    """

    net: network.Network
    view: ModuleType
    training: Mapping[str, Any]
    preprocessor: Mapping[str, Any]
    stores: Mapping[str, Store]
    temperature: float
    plain: Mapping[str, NDArray[np.float32]]
    probability: Mapping[str, NDArray[np.float32]]

    @property
    def classes(self) -> list[str]:
        return list(self.preprocessor["classes"])

    @property
    def tests(self) -> Any:
        """The test samples as the network takes them."""
        return self.view.samples(self.stores["test"], self.preprocessor)

    @property
    def targets(self) -> dict[str, NDArray[np.int64]]:
        return {split: self.stores[split].target for split in SPLITS}


def evaluate(trained: Path, prepared: Path, samples: Path, config: EvaluateConfig, out: Path) -> None:
    """Write predictions.parquet, calibration.json, tables, pictures, report.html and, last, metrics.json.

    Args:
        trained: output of `train`.
        prepared: output of `prepare`.
        samples: output of `split`.
    """
    model = _answer(trained, prepared, config)
    table = predictions.table(
        {split: (model.stores[split], model.probability[split]) for split in SPLITS},
        model.classes,
        pd.read_parquet(samples / "samples.parquet"),
        model.view.measures,
    )
    tests = table[table["split"] == "test"].reset_index(drop=True)
    calibrated, reliability = _calibration(model, config)
    corrupted, robust = _robustness(model, config)
    tables = {
        "per_class": metrics.per_class(metrics.scored(tests)),
        "slices": slices.report(tests, confidence=config.confidence),
        "robustness": corrupted,
        "reliability": reliability,
    }
    values = {**_metrics(model, table, config), **robust}
    history = pd.read_csv(trained / "history.csv")

    store, places = model.stores["test"], _places(model.stores["test"], tests)
    fresh_dir(out)
    with atomic_path(out / "predictions.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    write_json(out / "calibration.json", calibrated)
    counted = tests[["target", "prediction"]]  # by DVC's confusion template
    for name, content in {**tables, "confusion": counted}.items():
        write_text(out / f"{name}.csv", content.to_csv(index=False, lineterminator="\n"))
    page = report.ReportInputs(
        title=str(model.training["model"]["name"]),
        classes=model.classes,
        metrics=values,
        predictions=table,
        samples=lambda rows: model.view.shown(store, places[rows]),
        explain=lambda rows, classes: model.view.explained(
            model.net, store, places[rows], classes, model.preprocessor
        ),
        things=model.view.NOUNS,
        explained=model.view.EXPLAINED,
        calibration=calibrated,
        history=history,
        best_epoch=model.training.get("best_epoch"),
        facts={
            name.replace("_", " "): str(model.training[name]) for name in _FACTS if name in model.training
        },
        confidence=config.confidence,
        mistakes=config.mistakes,
        **tables,
    )
    write_text(out / "report.html", report.render(page))
    _draw(page, model, places, history, out)
    write_json(out / "metrics.json", values)


def _places(store: Store, tests: pd.DataFrame) -> NDArray[np.int64]:
    """Where the test rows of the predictions table lie in the store, (N,)."""
    place = {value.decode("ascii"): n for n, value in enumerate(store.id.tolist())}
    return np.asarray([place[value] for value in tests["id"]], dtype=np.int64)


def _answer(trained: Path, prepared: Path, config: EvaluateConfig) -> _Model:
    preprocessor = read_json(prepared / "preprocessor.json")
    net = network.load(trained, preprocessor).lay_out(torch.channels_last)  # faster, and the same numbers
    view = plugins.load("view", preprocessor["modality"])
    stores = {split: Store.open(prepared / split) for split in ("train", *SPLITS)}
    logits = {split: predictions.logits(net, view.samples(stores[split], preprocessor)) for split in SPLITS}
    temperature = 1.0
    if config.calibration == "temperature":
        temperature = calibration.fit(logits["val"], stores["val"].target)
    return _Model(
        net=net,
        view=view,
        training=read_json(trained / "training.json"),
        preprocessor=preprocessor,
        stores=stores,
        temperature=temperature,
        plain={split: predictions.softmax(values) for split, values in logits.items()},
        probability={split: predictions.softmax(values, temperature) for split, values in logits.items()},
    )


def _calibration(model: _Model, config: EvaluateConfig) -> tuple[dict[str, Any], pd.DataFrame]:
    """calibration.json and the reliability table."""
    facts, reliability = calibration.comparison(model.plain, model.probability, model.targets)
    thresholds = calibration.thresholds(model.probability["val"], model.targets["val"], model.classes)
    chosen = {"method": config.calibration, "temperature": model.temperature}
    return {**chosen, **facts, "thresholds": thresholds}, reliability


def _metrics(model: _Model, table: pd.DataFrame, config: EvaluateConfig) -> dict[str, Any]:
    """metrics.json, all but the robustness."""
    scored = {split: metrics.scored(table[table["split"] == split]) for split in SPLITS}
    values: dict[str, Any] = {split: metrics.summary(scored[split]) for split in SPLITS}
    how = intervals.Resampling(config.resamples, config.confidence, config.seed)
    values["intervals"] = intervals.bootstrap(scored["test"], how)
    values["baseline"] = baseline.compare(
        config.baseline,
        model.stores["train"],
        model.stores["test"],
        model.probability["test"].argmax(axis=1),
        model.classes,
        how,
        model.view.BASELINES,
    )
    if config.tta:
        averaged = metrics.of_probabilities(_averaged(model, config), model.targets["test"], model.classes)
        values["tta"] = {"copies": config.tta, **metrics.summary(averaged)}
    return values


def _averaged(model: _Model, config: EvaluateConfig) -> NDArray[np.float32]:
    """Mean probabilities (N, classes) of the test samples and of their augmented copies."""
    augmenting = plugins.load("augmenting", model.preprocessor["modality"])
    policy = augmenting.policy(model.training["augment"]["transforms"])
    samples = model.tests
    total = model.probability["test"].astype(np.float64)
    for copy in range(config.tta):
        for start in range(0, len(samples), _BATCH):
            rows = slice(start, start + _BATCH)
            changed = model.view.changed(policy, samples, rows, batch_key(config.seed, copy, start))
            total[rows] += predictions.softmax(predictions.logits(model.net, changed), model.temperature)
    return (total / (config.tta + 1)).astype(np.float32)


def _robustness(model: _Model, config: EvaluateConfig) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table, and {"robustness": means}, empty where it is switched off.

    Computed in the number format that training chose for this processor.
    """
    store, bf16 = model.stores["test"], model.training.get("precision") == "bf16"
    chosen = baseline.subset(len(store), config.robustness_samples, config.seed)
    samples, target = model.tests[chosen], store.target[chosen]

    def answer(some: Any) -> NDArray[np.int64]:
        answers: NDArray[np.int64] = predictions.logits(model.net, some, bf16=bf16).argmax(axis=1)
        return answers

    table: pd.DataFrame = model.view.damaged(
        samples, target, answer, confidence=config.confidence, seed=config.seed
    )
    if table.empty:
        return table, {}
    untouched = float((answer(samples) == target).mean())
    return table, {"robustness": robustness.means(table, untouched)}


def _draw(
    page: report.ReportInputs,
    model: _Model,
    places: NDArray[np.int64],
    history: pd.DataFrame,
    out: Path,
) -> None:
    """confusion.png, curves.png and mistakes.png, for DVC and MLflow."""
    tests = page.predictions[page.predictions["split"] == "test"].reset_index(drop=True)
    pictures.confusion(metrics.confusion(metrics.scored(tests)), page.classes, out / "confusion.png")
    pictures.curves(history, out / "curves.png")
    wrong = tests[tests["target"] != tests["prediction"]]
    worst = wrong.sort_values(["loss", "id"], ascending=[False, True]).head(page.mistakes)
    rows = places[worst.index.to_numpy(np.int64)]
    model.view.draw_mistakes(worst, model.stores["test"], rows, page.classes, out / "mistakes.png")


def main(config: "Config") -> None:
    evaluate(TRAIN, PREPARE, SPLIT, config.evaluate, EVALUATE)
