from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from convoy.config.model import LeNet5Config
from convoy.errors import ResourceError
from convoy.training import network, precision
from convoy.training.precision import Precision
from tests.toys import CLASSES

CPU = torch.device("cpu")
SHAPE = (8, 12, 12, 1)


def build() -> network.Network:
    spec = {
        "spec": {"height": 12, "width": 12, "channels": 1},
        "classes": CLASSES,
        "modality": "image",
        "mean": [0.5],
        "std": [0.5],
    }
    return network.build(LeNet5Config(name="lenet5"), spec)


@pytest.fixture
def units(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    return lambda there: monkeypatch.setattr(precision, "has_bf16_units", lambda device: there)


Measured = Callable[[dict[str, float]], None]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    """Seconds that a choice takes; one that is not named takes one."""

    def seconds(told: dict[str, float]) -> None:
        monkeypatch.setattr(precision, "measure", lambda steps: {name: told.get(name, 1.0) for name in steps})

    return seconds


def test_a_processor_without_bf16_units_takes_fp32(
    units: Callable[[bool], None], measured: Measured, tmp_path: Path
) -> None:
    units(False)
    measured({"bf16 channels_last": 0.1})
    assert precision.choose(build, SHAPE, CPU, tmp_path) == Precision("fp32", "contiguous")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({"bf16 channels_last": 0.3}, Precision("bf16", "channels_last")),
        ({"bf16 channels_last": 1.1}, Precision("bf16", "channels_last")),
        ({"bf16 channels_last": 2.0}, Precision("fp32", "contiguous")),
        ({"bf16 channels_last": 2.0, "fp32 channels_last": 0.5}, Precision("fp32", "channels_last")),
        ({"bf16 contiguous": 0.5}, Precision("bf16", "contiguous")),
    ],
)
def test_with_units_bf16_is_taken_unless_another_choice_is_clearly_faster(
    units: Callable[[bool], None],
    measured: Measured,
    seconds: dict[str, float],
    expected: Precision,
    tmp_path: Path,
) -> None:
    units(True)
    measured(seconds)
    assert precision.choose(build, SHAPE, CPU, tmp_path) == expected


def test_a_memory_format_that_is_asked_for_is_kept(
    units: Callable[[bool], None], measured: Measured, tmp_path: Path
) -> None:
    units(True)
    measured({"bf16 channels_last": 0.1})
    assert precision.choose(build, SHAPE, CPU, tmp_path, layout="contiguous") == Precision(
        "bf16", "contiguous"
    )


def test_what_is_asked_for_is_not_measured(tmp_path: Path) -> None:
    assert precision.choose(build, SHAPE, CPU, tmp_path, "bf16") == Precision("bf16", "channels_last")
    assert precision.choose(build, SHAPE, CPU, tmp_path, "fp32", "channels_last").layout == "channels_last"
    assert list(tmp_path.iterdir()) == []


def test_fp16_without_a_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="fp16 needs a GPU"):
        precision.choose(build, SHAPE, CPU, tmp_path, "fp16")


def test_a_measurement_is_made_once_a_machine(
    units: Callable[[bool], None], measured: Measured, tmp_path: Path
) -> None:
    units(True)
    measured({"bf16 channels_last": 0.3})
    first = precision.choose(build, SHAPE, CPU, tmp_path)
    measured({"bf16 channels_last": 9.0})
    assert precision.choose(build, SHAPE, CPU, tmp_path) == first


def test_the_real_measurement_gives_four_speeds(units: Callable[[bool], None], tmp_path: Path) -> None:
    units(True)
    speeds = precision.choose(build, SHAPE, CPU, tmp_path).img_per_s
    assert speeds is not None
    assert sorted(speeds) == [
        "bf16 channels_last",
        "bf16 contiguous",
        "fp32 channels_last",
        "fp32 contiguous",
    ]
    assert min(speeds.values()) > 0


def test_16_bits_go_with_channels_last() -> None:
    assert Precision("bf16").memory_format is Precision("fp16").memory_format is torch.channels_last
    assert Precision("fp32").memory_format is torch.contiguous_format
