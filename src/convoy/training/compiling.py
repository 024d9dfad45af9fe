"""Whether torch.compile pays: its warm-up against what it saves over the steps that are planned."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import torch

from convoy.config import engine
from convoy.errors import ResourceError
from convoy.io import read_json, write_json
from convoy.training import precision
from convoy.training.network import Network
from convoy.training.precision import Precision

_WORTH_MEASURING_SECONDS = 1200.0  # of planned training: the measurement itself compiles, up to a minute
_WARM_UPS = 4  # compilations: training and validation, each for a whole batch and for the last one
_MARGIN = 0.9  # share of the plain time that compiled training must stay below


def compiler(device: torch.device) -> str | None:
    """The C++ compiler that torch.compile would call (Triton: a C compiler); None: there is none."""
    named = os.environ.get("CC" if device.type == "cuda" else "CXX")
    usual = ("gcc", "clang", "cc") if device.type == "cuda" else ("g++", "clang++", "c++")
    return next((found for name in (named, *usual) if name and (found := shutil.which(name))), None)


def choose(
    wanted: engine.Compile,
    build: Callable[[], Network],
    chosen: Precision,
    shape: tuple[int, ...],
    steps: int,
    device: torch.device,
    cache: Path,
) -> tuple[bool, str]:
    """(compile or not, why).

    Args:
        build: makes a fresh network.
        chosen: the precision to measure with.
        shape: of the first input of a training batch.
        steps: of the whole training.
        cache: folder that keeps one file a measurement.

    Raises:
        ResourceError: it is asked for and there is no compiler.
    """
    there = compiler(device) is not None
    if wanted == "on" and not there:
        raise ResourceError(
            "torch.compile needs a C++ compiler, and there is none",
            where="params.yaml: train.compile",
            fix="install one (Debian: apt-get install g++), or set train.compile: auto or off",
        )
    if wanted != "auto":
        return wanted == "on", "as asked"
    if not there:
        return False, "no C++ compiler"
    file = (
        cache / f"compile-{precision.machine_key(build(), shape, device)}-{chosen.name}-{chosen.layout}.json"
    )
    measured: dict[str, float] = read_json(file) if file.is_file() else {}
    if chosen.img_per_s:
        measured["plain"] = shape[0] / chosen.img_per_s[str(chosen)]
    elif "plain" not in measured:
        plain = precision.stepper(build(), chosen, shape, device)
        measured["plain"] = precision.seconds_of_a_step(plain)
        write_json(file, measured)
    if measured["plain"] * steps < _WORTH_MEASURING_SECONDS:
        return False, "too short a training to pay for it"
    if "compiled" not in measured:
        measured |= _measure(build, chosen, shape, device)
        write_json(file, measured)
    compiled = measured["compiled"] * steps + measured["warm_up"] * _WARM_UPS
    pays = compiled < _MARGIN * measured["plain"] * steps
    gain = measured["plain"] / measured["compiled"]
    return pays, f"{gain:.2f} times the speed, {measured['warm_up']:.0f} s to warm up"


def _measure(
    build: Callable[[], Network], chosen: Precision, shape: tuple[int, ...], device: torch.device
) -> dict[str, float]:
    compiled = Precision(chosen.name, chosen.layout, compiled=True)
    step = precision.stepper(build(), compiled, shape, device)
    start = time.perf_counter()
    step()
    warm_up = time.perf_counter() - start
    return {"compiled": precision.seconds_of_a_step(step), "warm_up": round(warm_up, 2)}
