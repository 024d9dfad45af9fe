"""Stage `package`: the bundle, self-contained and checked against the network that it was made from."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from convoy import plugins
from convoy.bundle import build as bundle
from convoy.data.store import Store
from convoy.io import read_json, sha256_file
from convoy.layout import BUNDLE, EVALUATE, PREPARE, SPLIT, TRAIN
from convoy.training import network

if TYPE_CHECKING:
    from convoy.config.schema import Config

ENVIRONMENT_LOCK = Path("requirements.lock")


def package(
    trained: Path,
    evaluated: Path,
    prepared: Path,
    samples: Path,
    out: Path,
    *,
    environment_lock: Path = ENVIRONMENT_LOCK,
) -> None:
    """Write the bundle, bundle.json last.

    Args:
        trained: output of `train`.
        evaluated: output of `evaluate`.
        prepared: output of `prepare`.
        samples: output of `split`.
        environment_lock: the lock file of the environment; its digest is part of the bundle.

    Raises:
        IntegrityError: ONNX and torch disagree on a test sample.
    """
    preprocessor = read_json(prepared / "preprocessor.json")
    held_out = {split: Store.open(prepared / split) for split in ("val", "test")}
    calibration, slices = evaluated / "calibration.json", evaluated / "slices.csv"
    training = read_json(trained / "training.json")
    sources = bundle.Sources(
        weights=trained / "model.safetensors",
        training=training,
        preprocessor=preprocessor,
        metrics=read_json(evaluated / "metrics.json"),
        samples=pd.read_parquet(samples / "samples.parquet", columns=["id", "split", "target"]),
        environment_lock=sha256_file(environment_lock) if environment_lock.is_file() else None,
        calibration=read_json(calibration) if calibration.is_file() else None,
        slices=pd.read_csv(slices) if slices.is_file() else None,
        reference=plugins.load("describing", training["objective"]["name"]).reference(
            pd.read_parquet(evaluated / "predictions.parquet"),
            held_out,
            plugins.load("looking", preprocessor["modality"]),
        ),
    )
    bundle.build(out, network.load(trained, preprocessor), sources, held_out["test"])


def main(config: "Config") -> None:
    del config
    package(TRAIN, EVALUATE, PREPARE, SPLIT, BUNDLE)
