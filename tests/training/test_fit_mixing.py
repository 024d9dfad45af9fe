"""Mixup and cutmix in real trainings: reproducible, resumable, and nothing but the training is touched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from convoy.config.engine import LoaderConfig
from convoy.config.model import CnnConfig, ConvBlock
from convoy.config.objective import ClassificationConfig
from convoy.config.optimizer import SgdConfig
from convoy.config.schedule import CosineConfig
from convoy.config.train import TrainConfig
from convoy.data.augment import Policy
from convoy.data.mixing import Mixing
from convoy.data.store import Store
from convoy.training import network
from convoy.training.fit import Fitted, fit
from convoy.training.journal import Journal
from convoy.training.learner import Learner
from convoy.training.objectives.classification import Classification
from convoy.training.precision import Precision
from tests.toys import write_prepared

BOTH = Mixing(mixup_p=0.8, cutmix_p=0.4)
FLIP = Policy([{"name": "HorizontalFlip", "p": 0.5}])
MODEL = CnnConfig(name="cnn", blocks=[ConvBlock(channels=4)], dropout=0.3)

Run = Callable[..., Fitted]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    preprocessor = write_prepared(tmp_path / "prepared")
    train, val = (Store.open(tmp_path / "prepared" / name) for name in ("train", "val"))

    def go(
        name: str, mixing: Mixing | None = None, smoothing: float = 0.0, epochs: int = 3, **loader: Any
    ) -> Fitted:
        config = TrainConfig(
            seed=0, epochs=epochs, batch_size=12, optimizer=SgdConfig(name="sgd", lr=0.05),
            schedule=CosineConfig(name="cosine"), early_stopping=None, device="cpu", precision="fp32",
            threads=1, loader=LoaderConfig(**loader),
        )  # fmt: skip
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        journal = Journal(place / "journal.jsonl")
        if not journal.events():
            journal.append("start")
        return fit(
            lambda: network.build(MODEL, preprocessor),
            Classification(ClassificationConfig(name="classification", label_smoothing=smoothing)),
            config,
            train=[train],
            val=val,
            augment=FLIP,
            device=torch.device("cpu"),
            precision=Precision("fp32"),
            folder=place / "checkpoints",
            journal=journal,
            mixing=mixing,
        )

    return go


def weights(fitted: Fitted) -> bytes:
    return b"".join(value.numpy().tobytes() for _, value in sorted(fitted.weights.items()))


def history(folder: Path) -> list[dict[str, float]]:
    return [e["values"] for e in Journal(folder / "journal.jsonl").events() if e["event"] == "metrics"]


class Killed(BaseException):
    """Stands for a signal."""


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_mixed_training_killed_and_resumed_ends_in_the_same_bytes(
    run: Run, smoothing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = weights(run("whole", BOTH, smoothing))
    original = Learner.training_step

    def dying(self: pl.LightningModule, *args: Any) -> Any:
        if self.current_epoch == 1:
            raise Killed
        return original(self, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Learner, "training_step", dying)
        run("killed", BOTH, smoothing)
    assert weights(run("killed", BOTH, smoothing)) == whole


def test_mixing_changes_the_training(run: Run) -> None:
    found = {
        name: weights(run(name, mixing))
        for name, mixing in {
            "none": None,
            "off": Mixing(),
            "mixup": Mixing(mixup_p=1.0),
            "cutmix": Mixing(cutmix_p=1.0),
        }.items()
    }
    assert found["none"] == found["off"]
    assert len(set(found.values())) == 3


@pytest.mark.parametrize("mixing", [Mixing(mixup_p=1.0, mixup_alpha=1.0), Mixing(cutmix_p=1.0)])
def test_a_mixed_training_learns_and_only_the_training_loss_is_of_mixed_samples(
    run: Run, mixing: Mixing, tmp_path: Path
) -> None:
    run("mixed", mixing, epochs=12)
    last = history(tmp_path / "mixed")[-1]
    assert last["val_accuracy"] > 0.9
    assert last["train_loss"] > last["val_loss"]  # mixed targets cannot be met, those of validation are plain


def test_validation_sees_no_mixing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def draw(self: Mixing, key: int, count: int, size: tuple[int, int]) -> None:
        seen.append("drawn")

    monkeypatch.setattr(Mixing, "draw", draw)
    run("a", BOTH, epochs=1)
    assert len(seen) == -(-64 // 12)


def test_the_number_of_workers_changes_no_bit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from convoy.data import loader

    monkeypatch.setattr(loader, "_SMALL", 0)
    found = {
        weights(run(f"workers{workers}-{prefetch}", BOTH, workers=workers, prefetch=prefetch))
        for workers, prefetch in ((0, 1), (1, 4), (4, 2))
    }
    assert len(found) == 1
