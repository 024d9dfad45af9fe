"""Samples of any kind through the stages: what the tests of each kind of them share."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from convoy.config.augment import AugmentConfig
from convoy.config.data import DataConfig, SplitConfig, ValidateConfig
from convoy.config.evaluate import EvaluateConfig
from convoy.config.model import ModelConfig
from convoy.config.objective import ClassificationConfig
from convoy.config.train import TrainConfig
from convoy.stages.augment import augment
from convoy.stages.evaluate import evaluate
from convoy.stages.ingest import ingest
from convoy.stages.package import package
from convoy.stages.split import split
from convoy.stages.train import train
from convoy.stages.validate import validate

MODEL: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
GATE = ValidateConfig(max_bad_fraction=0.1, max_pixels=1000, min_per_class=3)


def training(epochs: int, batch_size: int, lr: float) -> TrainConfig:
    return TypeAdapter(TrainConfig).validate_python(
        {
            "seed": 0, "epochs": epochs, "batch_size": batch_size, "device": "cpu", "precision": "fp32",
            "threads": 1, "compile": "off", "early_stopping": None,
            "optimizer": {"name": "adamw", "lr": lr}, "schedule": {"name": "fixed"},
        }
    )  # fmt: skip


def evaluating(baseline: Any, robustness_samples: int) -> EvaluateConfig:
    return EvaluateConfig(
        resamples=100, confidence=0.95, mistakes=3, calibration="temperature", baseline=baseline,
        robustness_samples=robustness_samples, tta=1, seed=0,
    )  # fmt: skip


def divided(root: Path, data: DataConfig) -> None:
    """From the data to what `prepare` reads."""
    ingest(data, out=root / "ingest", corrections=root / "none.csv")
    validate(root / "ingest", data, GATE, out=root / "validate", base=root)
    how = SplitConfig(strategy="auto", val=0.2, test=0.2, seed=0)
    split(root / "validate", how, out=root / "split")


def learned(
    root: Path, steps: list[Any], model: Mapping[str, Any], how: TrainConfig, judged: EvaluateConfig
) -> None:
    """From what `prepare` wrote to the evaluated model and its bundle."""
    online = AugmentConfig(online=True, offline_copies=0, seed=0, transforms=steps)
    augment(root / "prepare", online, root / "augment")
    train(
        root / "prepare", root / "augment", MODEL.validate_python(model),
        ClassificationConfig(name="classification"), how, state=root / "state", out=root / "train",
    )  # fmt: skip
    evaluate(root / "train", root / "prepare", root / "split", judged, root / "evaluate")
    package(root / "train", root / "evaluate", root / "prepare", root / "split", root / "bundle")


def answer(bundle: Path, file: Path) -> list[float]:
    """The probabilities that the bundle's own code gives, in a process that knows no project."""
    for code in (bundle / "code").glob("*.py"):
        assert "from convoy" not in code.read_text(encoding="utf-8")
    command = [sys.executable, str(bundle / "code" / "predictor.py"), str(file)]
    bare = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=bundle.parent, env=bare)
    return list(json.loads(done.stdout)["probabilities"].values())
