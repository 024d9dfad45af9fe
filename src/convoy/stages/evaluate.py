"""Stage `evaluate`: every prediction, the metrics with their intervals, and pictures of both."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from convoy.config.evaluate import EvaluateConfig
from convoy.data.store import Store
from convoy.evaluation import metrics, pictures, predictions
from convoy.io import atomic_path, fresh_dir, read_json, write_json, write_text
from convoy.layout import EVALUATE, PREPARE, SPLIT, TRAIN
from convoy.training import network

if TYPE_CHECKING:
    from convoy.config.schema import Config

SPLITS = ("val", "test")


def evaluate(trained: Path, prepared: Path, samples: Path, config: EvaluateConfig, out: Path) -> None:
    """Write predictions.parquet, per_class.csv, confusion.csv, three pictures and, last, metrics.json.

    Args:
        trained: output of `train`.
        prepared: output of `prepare`.
        samples: output of `split`.
    """
    preprocessor = read_json(prepared / "preprocessor.json")
    classes: list[str] = preprocessor["classes"]
    model = network.load(trained, preprocessor)
    stores = {split: Store.open(prepared / split) for split in SPLITS}
    known = pd.read_parquet(samples / "samples.parquet", columns=["id", "path"])
    table = predictions.table(
        {split: (store, predictions.probabilities(model, store)) for split, store in stores.items()},
        classes,
        dict(zip(known["id"], known["path"], strict=True)),
    )
    fresh_dir(out)
    with atomic_path(out / "predictions.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    test = metrics.scored(table[table["split"] == "test"])
    matrix = metrics.confusion(test)
    write_text(out / "per_class.csv", metrics.per_class(test).to_csv(index=False, lineterminator="\n"))
    _write_confusion(table, out / "confusion.csv")
    pictures.confusion(matrix, classes, out / "confusion.png")
    pictures.curves(pd.read_csv(trained / "history.csv"), out / "curves.png")
    _write_mistakes(table, stores["test"], classes, config.mistakes, out / "mistakes.png")
    write_json(
        out / "metrics.json",
        {
            **{split: metrics.summary(metrics.scored(table[table["split"] == split])) for split in SPLITS},
            "intervals": metrics.intervals(
                test, resamples=config.resamples, confidence=config.confidence, seed=config.seed
            ),
        },
    )


def _write_confusion(table: pd.DataFrame, path: Path) -> None:
    """Target and prediction of every test sample: what DVC's confusion template counts."""
    test = table.loc[table["split"] == "test", ["target", "prediction"]]
    write_text(path, test.to_csv(index=False, lineterminator="\n"))


def _write_mistakes(table: pd.DataFrame, store: Store, classes: list[str], count: int, path: Path) -> None:
    test = table[(table["split"] == "test") & (table["target"] != table["prediction"])]
    wrong = test.sort_values(["loss", "id"], ascending=[False, True]).head(count)
    position = {value.decode("ascii"): n for n, value in enumerate(store.id.tolist())}
    indices = np.asarray([position[value] for value in wrong["id"]], dtype=np.int64)
    pictures.mistakes(wrong, store.images[indices], classes, path)


def main(config: "Config") -> None:
    evaluate(TRAIN, PREPARE, SPLIT, config.evaluate, EVALUATE)
