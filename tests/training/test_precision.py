from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from convoy.config.model import LeNet5Config
from convoy.training import network, precision
from tests.toys import CLASSES

CPU = torch.device("cpu")
SHAPE = (8, 12, 12, 1)


def build() -> network.Network:
    spec = {
        "spec": {"height": 12, "width": 12, "channels": 1},
        "classes": CLASSES,
        "mean": [0.5],
        "std": [0.5],
    }
    return network.build(LeNet5Config(name="lenet5"), spec)


@pytest.fixture
def units(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    return lambda there: monkeypatch.setattr(precision, "has_bf16_units", lambda device: there)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Seconds that bf16 takes; fp32 takes one."""
    return lambda bf16: monkeypatch.setattr(precision, "_measure", lambda steps: {"fp32": 1.0, "bf16": bf16})


def test_a_processor_without_bf16_units_takes_fp32_unmeasured(
    units: Callable[[bool], None], tmp_path: Path
) -> None:
    units(False)
    assert precision.choose(build, SHAPE, CPU, tmp_path) == precision.Precision("fp32")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("bf16", "expected"), [(0.3, "bf16"), (1.1, "bf16"), (2.0, "fp32")])
def test_with_units_bf16_is_taken_unless_the_measurement_vetoes_it(
    units: Callable[[bool], None],
    measured: Callable[[float], None],
    bf16: float,
    expected: str,
    tmp_path: Path,
) -> None:
    units(True)
    measured(bf16)
    assert precision.choose(build, SHAPE, CPU, tmp_path).name == expected


def test_a_measurement_is_made_once_a_machine(
    units: Callable[[bool], None], measured: Callable[[float], None], tmp_path: Path
) -> None:
    units(True)
    measured(0.3)
    first = precision.choose(build, SHAPE, CPU, tmp_path)
    measured(9.0)
    assert precision.choose(build, SHAPE, CPU, tmp_path) == first


def test_the_real_measurement_gives_two_speeds(units: Callable[[bool], None], tmp_path: Path) -> None:
    units(True)
    speeds = precision.choose(build, SHAPE, CPU, tmp_path).img_per_s
    assert speeds is not None
    assert set(speeds) == {"fp32", "bf16"}
    assert min(speeds.values()) > 0


def test_bf16_goes_with_channels_last() -> None:
    assert precision.Precision("bf16").memory_format is torch.channels_last
    assert precision.Precision("fp32").memory_format is torch.contiguous_format
