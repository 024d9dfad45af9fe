from typing import Any

import pytest
from pydantic import ValidationError

from convoy.config.engine import ENGINE
from convoy.config.train import TrainConfig

SECTION: dict[str, Any] = {
    "seed": 0,
    "epochs": 2,
    "batch_size": 8,
    "optimizer": {"name": "sgd", "lr": 0.1},
    "schedule": {"name": "fixed"},
    "early_stopping": None,
    "device": "auto",
    "precision": "auto",
    "threads": "auto",
}


def train(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate({**SECTION, **changes})


def test_files_of_before_these_keys_train_as_they_did() -> None:
    config = train()
    assert (config.memory_format, config.compile, config.deterministic) == ("auto", "auto", False)
    assert config.distributed.ranks == 1
    assert config.checkpoint_minutes is None


def test_the_engines_keys_are_keys_of_the_section() -> None:
    assert set(ENGINE) <= TrainConfig.model_fields.keys()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "cpu", "precision": "fp16"}, "precision: fp16 needs a GPU, and device is cpu"),
        ({"device": "cpu", "distributed": {"backend": "nccl"}}, "backend: nccl needs GPUs and device is cpu"),
        ({"distributed": {"nodes": 2}}, "distributed.nodes above 1 need precision: fp32"),
        (
            {"precision": "bf16", "distributed": {"processes": 9}},
            r"\(9\) must not exceed batch_size \(8\)",
        ),
        (
            {"distributed": {"processes": 2}, "fine_tune": {"freeze": 1, "unfreeze_every_epochs": 1}},
            "fine_tune.unfreeze_every_epochs needs distributed.processes: 1",
        ),
        (
            {"fine_tune": {"freeze": 1}, "averaging": {"name": "swa", "start_epoch": 1, "lr": 0.01}},
            "averaging: swa finds new statistics",
        ),
        ({"stop_at": {"monitor": "val_accuracy", "value": 99.0}}, "a value of 99 is never reached"),
        ({"distributed": {"processes": 0}}, "greater than or equal to 1"),
        ({"checkpoint_minutes": -1.0}, "greater than or equal to 0"),
        ({"precision": "fp8"}, "Input should be 'auto', 'fp32', 'bf16' or 'fp16'"),
    ],
)
def test_what_cannot_work_is_refused_with_both_keys(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        train(**changes)
