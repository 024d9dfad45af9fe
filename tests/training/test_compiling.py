from pathlib import Path

import pytest
import torch

from convoy.errors import ResourceError
from convoy.training import compiling, precision
from convoy.training.precision import Precision
from tests.training.test_precision import CPU, SHAPE, build

FP32 = Precision("fp32")


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain 1 s a step, compiled 0.5 s, 40 s to warm up."""
    monkeypatch.setattr(compiling, "compiler", lambda device: "/usr/bin/g++")
    monkeypatch.setattr(precision, "seconds_of_a_step", lambda step: 1.0)
    monkeypatch.setattr(compiling, "_measure", lambda *_: {"compiled": 0.5, "warm_up": 40.0})


def choose(wanted: str, steps: int, cache: Path, chosen: Precision = FP32) -> tuple[bool, str]:
    return compiling.choose(wanted, build, chosen, SHAPE, steps, CPU, cache)  # type: ignore[arg-type]


@pytest.mark.usefixtures("speeds")
def test_a_long_training_is_compiled_where_that_pays(tmp_path: Path) -> None:
    assert choose("auto", 10_000, tmp_path) == (True, "2.00 times the speed, 40 s to warm up")


@pytest.mark.usefixtures("speeds")
def test_a_short_training_is_not_even_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiling, "_measure", lambda *_: pytest.fail("it was compiled"))
    assert choose("auto", 500, tmp_path)[0] is False


@pytest.mark.usefixtures("speeds")
def test_a_gain_that_the_warm_up_eats_is_no_gain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiling, "_measure", lambda *_: {"compiled": 0.95, "warm_up": 60.0})
    assert choose("auto", 1500, tmp_path)[0] is False


@pytest.mark.usefixtures("speeds")
def test_the_speed_that_was_measured_with_the_precision_is_taken(tmp_path: Path) -> None:
    quick = Precision("fp32", img_per_s={"fp32 contiguous": 80.0})  # 0.1 s a step
    assert choose("auto", 10_000, tmp_path, quick)[0] is False


def test_without_a_compiler_auto_is_off_and_on_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compiling, "compiler", lambda device: None)
    assert choose("auto", 10**9, tmp_path) == (False, "no C++ compiler")
    assert choose("off", 10**9, tmp_path)[0] is False
    with pytest.raises(ResourceError, match=r"needs a C\+\+ compiler"):
        choose("on", 1, tmp_path)


@pytest.mark.skipif(compiling.compiler(CPU) is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.slow
def test_a_compiled_step_does_what_a_plain_one_does() -> None:
    torch.manual_seed(0)
    images = torch.randint(0, 256, SHAPE, dtype=torch.uint8)
    network = build()
    plain = network(images)
    network.compile()
    torch.testing.assert_close(network(images), plain, rtol=1e-5, atol=1e-5)
    assert all(not name.startswith("_orig") for name in network.state_dict())
