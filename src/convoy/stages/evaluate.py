"""Stage `evaluate`: every prediction; metrics with intervals; tables, pictures, a report.

What is measured is the objective's (see `convoy.evaluation.objectives`); here it is asked and written.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch

from convoy import plugins
from convoy.config.evaluate import EvaluateConfig
from convoy.data.store import Store
from convoy.evaluation import pictures
from convoy.evaluation.objectives._base import Subject
from convoy.io import atomic_path, fresh_dir, read_json, write_json, write_text
from convoy.layout import EVALUATE, PREPARE, SPLIT, TRAIN
from convoy.training import network

if TYPE_CHECKING:
    from convoy.config.schema import Config

DETAILS = "details"  # what differs between objectives


def evaluate(trained: Path, prepared: Path, samples: Path, config: EvaluateConfig, out: Path) -> None:
    """Write predictions.parquet, calibration.json, tables, pictures, report.html and, last, metrics.json.

    slices.csv, robustness.csv, curves.png and mistakes.png are there for every objective; its own tables and
    pictures lie in details/.

    Args:
        trained: output of `train`.
        prepared: output of `prepare`.
        samples: output of `split`.
    """
    preprocessor = read_json(prepared / "preprocessor.json")
    training = read_json(trained / "training.json")
    subject = Subject(
        net=network.load(trained, preprocessor).lay_out(torch.channels_last),  # faster; the same numbers
        view=plugins.load("view", preprocessor["modality"]),
        training=training,
        preprocessor=preprocessor,
        stores={split: Store.open(prepared / split) for split in ("train", "val", "test")},
        samples=pd.read_parquet(samples / "samples.parquet"),
        history=pd.read_csv(trained / "history.csv"),
    )
    found = plugins.load("evaluation", training["objective"]["name"]).judge(subject, config)

    fresh_dir(out)
    (out / DETAILS).mkdir()
    with atomic_path(out / "predictions.parquet") as temporary:
        found.predictions.to_parquet(temporary, index=False)
    write_json(out / "calibration.json", found.calibration)
    tables = {"slices": found.slices, "robustness": found.robustness}
    for name, content in {**tables, **{f"{DETAILS}/{n}": t for n, t in found.details.items()}}.items():
        write_text(out / f"{name}.csv", content.to_csv(index=False, lineterminator="\n"))
    write_text(out / "report.html", found.page)
    for name, draw in found.pictures.items():
        draw(out / DETAILS / f"{name}.png")
    for name, frame in found.frames.items():
        with atomic_path(out / DETAILS / f"{name}.parquet") as temporary:
            frame.to_parquet(temporary, index=False)
    pictures.curves(subject.history, out / "curves.png")
    found.draw(out / "mistakes.png")
    write_json(out / "metrics.json", found.metrics)


def main(config: "Config") -> None:
    evaluate(TRAIN, PREPARE, SPLIT, config.evaluate, EVALUATE)
