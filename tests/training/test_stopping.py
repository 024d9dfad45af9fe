"""The ways in which a training ends early, and how a resumed one knows."""

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from convoy.config.optimizer import SgdConfig
from convoy.config.regularise import GradientClippingConfig
from convoy.config.schedule import OneCycleConfig, PlateauConfig
from convoy.config.stopping import EarlyStoppingConfig, StopAtConfig
from convoy.errors import IntegrityError
from convoy.training import checkpoints, stopping
from convoy.training.learner import Learner
from tests.training.fitting import history, run, section, weights

PATIENCE = EarlyStoppingConfig(monitor="val_loss", patience=1, min_delta=100.0)
GOAL = StopAtConfig(monitor="val_accuracy", value=0.9)


class Killed(BaseException):
    """Stands for a signal."""


def die_in(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    original = Learner.training_step

    def dying(self: pl.LightningModule, *args: Any) -> Any:
        if self.current_epoch == epoch:
            raise Killed
        return original(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "training_step", dying)


def ended(folder: Path) -> str | None:
    state = torch.load(checkpoints.last_path(folder / "checkpoints"), weights_only=True)
    return stopping.ended_by(state["callbacks"])


def test_a_goal_that_is_reached_ends_the_training(tmp_path: Path) -> None:
    fitted = run(tmp_path, stop_at=GOAL, epochs=30)
    accuracies = [epoch["val_accuracy"] for epoch in history(tmp_path)]
    assert 1 < len(accuracies) < 30
    assert accuracies[-1] >= 0.9 > max(accuracies[:-1])
    assert fitted.best_epoch == len(accuracies) - 1
    assert ended(tmp_path) == "stop_at"


def test_a_loss_is_a_goal_from_above(tmp_path: Path) -> None:
    run(tmp_path, stop_at=StopAtConfig(monitor="val_loss", value=0.5), epochs=30)
    losses = [epoch["val_loss"] for epoch in history(tmp_path)]
    assert losses[-1] <= 0.5 < min(losses[:-1])


class Clock:
    """Seconds that pass at the end of each epoch alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Each epoch takes 20 s."""
    clock = Clock()
    original = Learner.on_validation_epoch_end

    def slow(self: Learner) -> None:
        clock.now += 20.0
        original(self)

    monkeypatch.setattr(stopping, "time", clock)
    monkeypatch.setattr(Learner, "on_validation_epoch_end", slow)
    return clock


def test_no_epoch_is_begun_that_would_end_too_late(tmp_path: Path, clock: Clock) -> None:
    assert run(tmp_path, max_minutes=1.1, epochs=9).epochs_run == 3
    assert ended(tmp_path) == "max_minutes"
    assert run(tmp_path, max_minutes=1.1, epochs=9).epochs_run == 3  # it is finished


def test_one_epoch_is_trained_however_short_the_time(tmp_path: Path, clock: Clock) -> None:
    assert run(tmp_path, max_minutes=0.1).epochs_run == 1


def test_a_resumed_training_counts_the_time_it_had(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        die_in(patch, 2)
        run(tmp_path, max_minutes=1.1, epochs=9)
    assert run(tmp_path, max_minutes=1.1, epochs=9).epochs_run == 3


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"early_stopping": PATIENCE, "stop_at": GOAL}, "val_loss"),
        ({"stop_at": GOAL}, "val_accuracy"),
        ({}, "val_loss"),
    ],
)
def test_the_best_epoch_is_that_of_early_stopping_or_of_the_goal(
    changes: dict[str, Any], expected: str
) -> None:
    assert stopping.monitor(section(**changes)) == expected


def test_the_last_epochs_weights_are_kept_where_the_validation_split_cannot_choose(tmp_path: Path) -> None:
    worsening = {"optimizer": SgdConfig(name="sgd", lr=3.0, momentum=0.9), "epochs": 4}
    best = run(tmp_path / "best", **worsening)
    losses = [epoch["val_loss"] for epoch in history(tmp_path / "best")]
    assert best.best_epoch == losses.index(min(losses)) < 3
    last = run(tmp_path / "last", **worsening, keep="last")
    assert last.best_epoch == 3
    state = checkpoints.read(checkpoints.last_path(tmp_path / "last" / "checkpoints"))["state_dict"]
    assert all(torch.equal(state[f"network.{name}"], value) for name, value in last.weights.items())


def test_early_stopping_is_told_by_its_checkpoint(tmp_path: Path) -> None:
    run(tmp_path, early_stopping=PATIENCE, epochs=9)
    assert ended(tmp_path) == "early_stopping"


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": PlateauConfig(name="plateau", patience=0, threshold=0.5, warmup_epochs=0.5)},
        {"schedule": OneCycleConfig(name="one_cycle")},
        {"gradient_clipping": GradientClippingConfig(by="norm", limit=0.1), "accumulate_batches": 3},
    ],
    ids=["plateau", "one_cycle", "clipped and accumulated"],
)
def test_a_killed_and_resumed_training_ends_in_the_same_bytes(
    tmp_path: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = weights(run(tmp_path / "whole", epochs=4, **changes))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        die_in(patch, 2)
        run(tmp_path / "killed", epochs=4, **changes)
    assert weights(run(tmp_path / "killed", epochs=4, **changes)) == whole
    rates = [[e["lr"] for e in history(tmp_path / name)] for name in ("whole", "killed")]
    assert rates[0] == rates[1]
    if isinstance(changes.get("schedule"), PlateauConfig):
        assert rates[0][-1] < rates[0][0]


def test_a_loss_that_is_not_finite_names_its_place_and_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convoy.training.objectives.classification import Classification

    original, calls = Classification.loss, []

    def poisoned(self: Classification, *args: Any) -> torch.Tensor:
        calls.append(1)
        return original(self, *args) * (float("nan") if len(calls) == 11 else 1.0)

    monkeypatch.setattr(Classification, "loss", poisoned)
    with pytest.raises(IntegrityError, match="the loss is not finite") as caught:
        run(tmp_path, accumulate_batches=2)
    assert caught.value.where == "epoch 3, batch 3 of 4, step 6"
    assert f"checkpoint of epoch 2 is kept in {tmp_path / 'checkpoints'}" in caught.value.fix
    state = torch.load(checkpoints.last_path(tmp_path / "checkpoints"), weights_only=True)
    assert state["epoch"] == 1
    assert all(bool(torch.isfinite(value).all()) for value in state["state_dict"].values())


def test_a_gradient_that_is_not_finite_stops_a_clipped_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Learner.on_after_backward

    def poison(self: Learner) -> None:
        original(self)
        for parameter in self.network.parameters():
            assert parameter.grad is not None
            parameter.grad[...] = float("inf")

    monkeypatch.setattr(Learner, "on_after_backward", poison)
    with pytest.raises(IntegrityError, match="the gradient's norm is not finite") as caught:
        run(
            tmp_path,
            gradient_clipping=GradientClippingConfig(by="norm", limit=1.0),
            optimizer=SgdConfig(name="sgd", lr=0.1),
        )
    assert caught.value.where == "epoch 1, batch 1 of 4, step 1"
