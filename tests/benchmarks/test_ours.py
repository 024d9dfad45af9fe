from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.ours import Task, whole, without_checkpoints

from benchmarks import mnist
from convoy.config.model import LeNet5Config

CLOCKED = {"epoch_seconds", "images_per_second"}


@pytest.fixture
def task(realdata_in_small: Path, tmp_path: Path) -> Task:
    data = mnist.stores(mnist.arrays(tmp_path / "arrays", 240), tmp_path / "stores")
    return replace(mnist.task(data, 2), model=LeNet5Config(name="lenet5"))


def test_a_training_without_checkpoints_is_the_same_training(task: Task) -> None:
    with_them, without = whole(task, None), without_checkpoints(task, None)
    assert with_them.steps == without.steps == 4
    for one, other in zip(with_them.history, without.history, strict=True):
        assert {k: v for k, v in one.items() if k not in CLOCKED} == {
            k: v for k, v in other.items() if k not in CLOCKED
        }
