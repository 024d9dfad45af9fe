"""Small real trainings through `fit`, on toy images of two classes."""

from pathlib import Path
from typing import Any, Literal

import torch

from convoy.config.engine import LoaderConfig
from convoy.config.model import CnnConfig, ConvBlock, ModelConfig
from convoy.config.objective import ClassificationConfig
from convoy.config.optimizer import SgdConfig
from convoy.config.schedule import FixedConfig
from convoy.config.train import TrainConfig
from convoy.data.mixing import Mixing
from convoy.data.store import Store
from convoy.training import network
from convoy.training.fit import Fitted, fit
from convoy.training.journal import Journal
from convoy.training.objectives._base import Objective, Targets
from convoy.training.objectives.classification import Classification
from convoy.training.precision import Precision
from tests.toys import CLASSES, write_prepared

# dropout draws random numbers, batch norm keeps state
MODEL = CnnConfig(name="cnn", blocks=[ConvBlock(channels=4)], dropout=0.3)


def section(**changes: Any) -> TrainConfig:
    given: dict[str, Any] = {
        "seed": 0,
        "epochs": 3,
        "batch_size": 16,
        "optimizer": SgdConfig(name="sgd", lr=0.05),
        "schedule": FixedConfig(name="fixed"),
        "early_stopping": None,
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "loader": LoaderConfig(workers=0),
    }
    return TrainConfig(**{**given, **changes})


def run(
    place: Path,
    *,
    model: ModelConfig = MODEL,
    objective: Objective | ClassificationConfig | None = None,
    mixing: Mixing | None = None,
    prepared: Path | None = None,
    computed_in: Literal["fp32", "bf16"] = "fp32",
    **changes: Any,
) -> Fitted:
    """Train in the folder `place`, or go on there; 64 images to train on, 16 to validate."""
    data = prepared or place / "prepared"
    preprocessor = write_prepared(data)
    train, val = (Store.open(data / name) for name in ("train", "val"))
    if objective is None:
        objective = ClassificationConfig(name="classification")
    if isinstance(objective, ClassificationConfig):
        objective = Classification(objective, Targets(CLASSES, train.target))
    journal = Journal(place / "journal.jsonl")
    if not journal.events():
        journal.append("start")
    return fit(
        lambda: network.build(model, preprocessor),
        objective,
        section(**changes),
        train=[train],
        val=val,
        augment=None,
        device=torch.device("cpu"),
        precision=Precision(computed_in),
        folder=place / "checkpoints",
        journal=journal,
        mixing=mixing,
    )


def history(place: Path) -> list[dict[str, float]]:
    return [e["values"] for e in Journal(place / "journal.jsonl").events() if e["event"] == "metrics"]


def weights(fitted: Fitted) -> bytes:
    return b"".join(value.numpy().tobytes() for _, value in sorted(fitted.weights.items()))
