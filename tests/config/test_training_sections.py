"""Sections `objective` and `train`: what old files mean, what is refused, and in which words."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from convoy.config.load import load
from convoy.config.objective import ObjectiveConfig
from convoy.config.optimizer import AdamConfig
from convoy.config.schedule import CosineConfig
from convoy.errors import ConfigError
from tests.registry.fixtures import PARAMS
from tests.training.fitting import section

OBJECTIVE: TypeAdapter[ObjectiveConfig] = TypeAdapter(ObjectiveConfig)


@pytest.fixture
def params(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(PARAMS, encoding="utf-8")
    return path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_files_without_the_new_keys_mean_what_they_meant(params: Path) -> None:
    config = load(params)
    train = config.train
    assert config.objective.loss.name == "cross_entropy"
    assert isinstance(train.optimizer, AdamConfig)
    assert (train.optimizer.betas, train.optimizer.eps) == ([0.9, 0.999], 1e-8)
    assert (train.accumulate_batches, train.l1, train.l2) == (1, 0.0, 0.0)
    off = (train.gradient_clipping, train.averaging, train.stop_at, train.max_minutes)
    assert off == (None, None, None, None)
    cosine = CosineConfig(name="cosine", warmup_epochs=1)
    assert cosine.final_fraction == 0.01


@pytest.mark.parametrize("given", ["focal", "{name: focal}", "{name: focal, gamma: 2.0}"])
def test_a_loss_is_given_by_its_name_or_with_its_parameters(params: Path, given: str) -> None:
    change(params, "label_smoothing: 0.0", f"loss: {given}")
    loss = load(params).objective.loss
    assert loss.model_dump() == {"name": "focal", "gamma": 2.0}


SCHEDULE = "schedule: {name: fixed}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (SCHEDULE, "schedule: {name: cosine, gamma: 0.1}", "unknown key 'train.schedule.gamma'"),
        (SCHEDULE, "schedule: {name: cosin}", "did you mean 'cosine'"),
        (SCHEDULE, "schedule: {name: multi_step}", "missing key 'train.schedule.milestones'"),
        (SCHEDULE, "schedule: {name: multi_step, milestones: [2, 1]}", "milestones must rise"),
        (
            SCHEDULE,
            "schedule: {name: multi_step, milestones: [1, 5]}",
            "schedule.milestones (5) must be less than epochs (2)",
        ),
        (
            SCHEDULE,
            "schedule: {name: plateau}\n  averaging: {name: swa, start_epoch: 1, lr: 0.1}",
            "averaging: swa sets the learning rate from its start on, and so does schedule: plateau",
        ),
        (
            SCHEDULE,
            "schedule: {name: fixed}\n  averaging: {name: swa, start_epoch: 2, lr: 0.1}",
            "averaging.start_epoch (2) must be less than epochs (2)",
        ),
        (
            "optimizer: {name: adamw, lr: 0.01, weight_decay: 0.0}\n  " + SCHEDULE,
            "optimizer: {name: adagrad, lr: 0.01}\n  schedule: {name: one_cycle}",
            "schedule.momentum needs an optimizer with momentum; adagrad has none here",
        ),
        ("name: adamw", "name: adamw, betas: [0.9]", "at least 2 items"),
        ("name: adamw", "name: adamw, momentum: 0.9", "unknown key 'train.optimizer.momentum'"),
        ("label_smoothing: 0.0", "loss: focul", "'focul' is none of"),
        ("label_smoothing: 0.0", "loss: {name: focal, gama: 1.0}", "did you mean 'gamma'"),
        ("label_smoothing: 0.0", "class_weights: {up: 0}", "must be none, balanced or positive numbers"),
        ("label_smoothing: 0.0", "class_weights: even", "must be none, balanced or positive numbers"),
        ("{name: classification, label_smoothing: 0.0}", "{name: regression}", "set data.value_cols"),
        (
            "{name: classification, label_smoothing: 0.0}",
            "{name: multilabel}",
            "set data.label_separator or data.label_cols",
        ),
        ("early_stopping: null", "early_stopping: null\n  max_minutes: 0", "greater than 0"),
        (
            "early_stopping: null",
            "early_stopping: null\n  accumulate_batches: 0",
            "greater than or equal to 1",
        ),
        (
            "early_stopping: null",
            "early_stopping: null\n  gradient_clipping: {by: size, limit: 1.0}",
            "'size' is none of norm, value",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_words(params: Path, old: str, new: str, message: str) -> None:
    change(params, old, new)
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(params)


def test_two_weightings_of_labels_are_one_too_many() -> None:
    both: dict[str, Any] = {"name": "multilabel", "loss": "focal", "positive_weights": "balanced"}
    with pytest.raises(ValidationError, match="positive_weights belongs to loss: bce"):
        OBJECTIVE.validate_python(both)


@pytest.mark.parametrize(
    "optimizer",
    [{"name": "sgd", "lr": 0.1, "momentum": 0.0}, {"name": "rmsprop", "lr": 0.1}],
    ids=str,
)
def test_a_cycle_without_momentum_is_fine_where_none_is_cycled(optimizer: dict[str, Any]) -> None:
    given = section().model_dump() | {"optimizer": optimizer}
    kind = type(section())
    kind.model_validate(given | {"schedule": {"name": "one_cycle", "momentum": None}})
    with pytest.raises(ValidationError, match=r"set schedule\.momentum: null"):
        kind.model_validate(given | {"schedule": {"name": "one_cycle"}})
