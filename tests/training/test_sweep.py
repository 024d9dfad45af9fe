"""Every loss, optimiser, schedule and regulariser in a real training of two epochs whose loss falls."""

from pathlib import Path
from typing import Any, Literal

import pytest

from convoy.config.model import CnnConfig, ConvBlock
from convoy.config.objective import ClassificationConfig
from convoy.config.train import TrainConfig
from convoy.data.mixing import Mixing
from tests.training.fitting import history, run, section

SMALL = CnnConfig(name="cnn", blocks=[ConvBlock(channels=4), ConvBlock(channels=6)])

OPTIMISERS: list[dict[str, Any]] = [
    {"name": "sgd", "lr": 0.02, "momentum": 0.0},
    {"name": "sgd", "lr": 0.02, "momentum": 0.9},
    {"name": "sgd", "lr": 0.02, "momentum": 0.9, "nesterov": True},
    {"name": "adam", "lr": 0.01},
    {"name": "adamw", "lr": 0.01, "weight_decay": 0.1},
    {"name": "adagrad", "lr": 0.02},
    {"name": "rmsprop", "lr": 0.005},
    {"name": "lion", "lr": 0.003},
    {"name": "muon", "lr": 0.01},
]
SCHEDULES: list[dict[str, Any]] = [
    {"name": "fixed"},
    {"name": "step", "step_epochs": 1, "gamma": 0.5},
    {"name": "multi_step", "milestones": [1]},
    {"name": "exponential", "gamma": 0.8},
    {"name": "cosine"},
    {"name": "cosine_restarts", "first_epochs": 1},
    {"name": "one_cycle"},
    {"name": "plateau", "patience": 0},
    {"name": "cosine", "warmup_epochs": 0.5},
]
LOSSES: list[dict[str, Any]] = [
    {"loss": "cross_entropy"},
    {"label_smoothing": 0.1},
    {"class_weights": "balanced"},
    {"class_weights": {"up": 2.0}},
    {"loss": "focal"},
    {"loss": "bce"},
    {"loss": "mse"},
    {"loss": "mae"},
    {"loss": {"name": "smooth_l1", "beta": 0.5}},
]
REGULARISERS: list[dict[str, Any]] = [
    {"l1": 0.0001},
    {"l2": 0.001},
    {"optimizer": {"name": "sgd", "lr": 0.02, "weight_decay": 0.01, "decay_norms_and_biases": True}},
    {"averaging": {"name": "ema", "decay": 0.9}},
    {"averaging": {"name": "swa", "start_epoch": 1, "lr": 0.01}},
    {"gradient_clipping": {"by": "norm", "limit": 1.0}},
    {"gradient_clipping": {"by": "value", "limit": 0.1}},
    {"batch_size": 6, "accumulate_batches": 3},
]


def falls(
    place: Path,
    objective: dict[str, Any] | None = None,
    computed_in: Literal["fp32", "bf16"] = "fp32",
    **changes: Any,
) -> None:
    """The validation loss of the second epoch, and the training loss, are below those of the first."""
    given = {**section(epochs=2, batch_size=8).model_dump(), **changes}
    config = TrainConfig.model_validate(given)
    section_ = ClassificationConfig.model_validate({"name": "classification", **(objective or {})})
    sections = {name: getattr(config, name) for name in given}
    run(place, model=SMALL, objective=section_, computed_in=computed_in, **sections)
    first, second = history(place)
    assert second["train_loss"] < first["train_loss"]
    assert second["val_loss"] < first["val_loss"]


@pytest.mark.parametrize("optimizer", OPTIMISERS, ids=str)
def test_every_optimiser_learns(optimizer: dict[str, Any], tmp_path: Path) -> None:
    falls(tmp_path, optimizer=optimizer)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_every_schedule_learns(schedule: dict[str, Any], tmp_path: Path) -> None:
    falls(tmp_path, schedule=schedule, optimizer={"name": "sgd", "lr": 0.02})


@pytest.mark.parametrize("objective", LOSSES, ids=str)
def test_every_loss_learns(objective: dict[str, Any], tmp_path: Path) -> None:
    falls(tmp_path, objective, optimizer={"name": "sgd", "lr": 0.05})


@pytest.mark.parametrize("objective", LOSSES, ids=str)
def test_every_loss_takes_mixed_targets(objective: dict[str, Any], tmp_path: Path) -> None:
    config = ClassificationConfig.model_validate({"name": "classification", **objective})
    run(tmp_path, model=SMALL, objective=config, epochs=2, mixing=Mixing(mixup_p=1.0))
    first, second = history(tmp_path)
    assert second["val_loss"] < first["val_loss"]


@pytest.mark.parametrize("changes", REGULARISERS, ids=str)
def test_every_regulariser_leaves_the_network_learning(changes: dict[str, Any], tmp_path: Path) -> None:
    falls(tmp_path, **{"optimizer": {"name": "sgd", "lr": 0.02}, **changes})


@pytest.mark.parametrize("optimizer", OPTIMISERS, ids=str)
def test_every_optimiser_takes_clipped_gradients_of_bf16(optimizer: dict[str, Any], tmp_path: Path) -> None:
    clipping = {"by": "norm", "limit": 0.5}
    falls(tmp_path, optimizer=optimizer, gradient_clipping=clipping, computed_in="bf16")


def test_the_sweep_leaves_no_name_of_the_configuration_out() -> None:
    from typing import get_args

    from convoy.config import objective, optimizer, regularise, schedule

    def names(union: Any) -> set[str]:
        members = get_args(get_args(union)[0])
        return {name for member in members for name in get_args(member.model_fields["name"].annotation)}

    assert {each["name"] for each in OPTIMISERS} == names(optimizer.OptimizerConfig)
    assert {each["name"] for each in SCHEDULES} == names(schedule.ScheduleConfig)
    losses = [each["loss"] for each in LOSSES if "loss" in each]
    assert {each if isinstance(each, str) else each["name"] for each in losses} == names(objective.ClassLoss)
    averaging = [each["averaging"]["name"] for each in REGULARISERS if "averaging" in each]
    assert set(averaging) == names(regularise.AveragingConfig)
