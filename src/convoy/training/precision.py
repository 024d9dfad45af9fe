"""Which number format and memory format train fastest here, found by a measurement of a few seconds.

On processors with bf16 units (AMX, AVX512-BF16, Arm BF16, CUDA from Ampere on), bf16 in channels_last is 1.6
to 5 times faster than fp32; without them it is slower. So the units decide, and the measurement can overrule
them only where another choice is clearly faster: a ratio near 1 would flip with the machine's load, and two
runs on one machine must choose alike to end in the same bytes. fp16 is never chosen: it needs its loss
scaled, and gains nothing over bf16 where that has units.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from convoy.config import engine
from convoy.errors import ResourceError
from convoy.io import read_json, sha256_bytes, write_json
from convoy.training.network import Network

Name = Literal["fp32", "bf16", "fp16"]
Layout = Literal["contiguous", "channels_last"]
VETO = 0.8  # the expected choice is left where it is below this share of another's speed
_ROUNDS = 5
_STEPS = 2
_ENOUGH_SECONDS = 10.0  # of measuring; at least one round is made
_LIGHTNING: dict[Name, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}
_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """`name` is the compute format of matrix operations; weights, optimiser and loss stay fp32.

    Attributes:
        layout: of images and weights in memory; by default what suits the format: units for 16 bits want
            the channels last.
        compiled: by torch.compile.
        img_per_s: the measurement, where there was one.
    """

    name: Name
    layout: Layout | None = None
    compiled: bool = False
    img_per_s: dict[str, float] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.layout is None:
            object.__setattr__(self, "layout", "contiguous" if self.name == "fp32" else "channels_last")

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.layout == "channels_last" else torch.contiguous_format

    @property
    def lightning(self) -> Literal["32-true", "bf16-mixed", "16-mixed"]:
        return _LIGHTNING[self.name]

    def __str__(self) -> str:
        return f"{self.name} {self.layout}"


def choose(
    build: Callable[[], Network],
    shape: tuple[int, ...],
    device: torch.device,
    cache: Path,
    name: engine.Precision = "auto",
    layout: engine.MemoryFormat = "auto",
) -> Precision:
    """What is asked for; where that is `auto`, what this machine's units and a measurement say.

    Args:
        build: makes a fresh network.
        shape: of the first input of a training batch, such as (N, H, W, C).
        device: where training will run.
        cache: folder that keeps one file for each measured (machine, torch, network, batch, threads).

    Raises:
        ResourceError: fp16 is asked for without a GPU.
    """
    if name == "fp16" and device.type != "cuda":
        raise ResourceError(
            "fp16 needs a GPU: a CPU computes it more slowly than fp32, and it overflows",
            where="params.yaml: train.precision",
            fix="set train.precision: auto, which takes bf16 where the CPU has units for it",
        )
    if name != "auto":
        return Precision(name, None if layout == "auto" else layout)
    units = has_bf16_units(device)
    names: tuple[Name, ...] = ("fp32", "bf16") if units else ("fp32",)
    layouts: tuple[Layout, ...] = ("contiguous", "channels_last") if layout == "auto" else (layout,)
    expected = Precision(names[-1], None if layout == "auto" else layout)
    candidates = [Precision(each, how) for each in names for how in layouts]
    if len(candidates) == 1:
        return expected
    file = cache / f"{machine_key(build(), shape, device)}.json"
    measured: dict[str, float] = read_json(file) if file.is_file() else {}
    if not {str(each) for each in candidates} <= measured.keys():
        seconds = measure({str(each): stepper(build(), each, shape, device) for each in candidates})
        measured |= {each: round(shape[0] * _STEPS / taken, 1) for each, taken in seconds.items()}
        write_json(file, measured)
    fastest = max(candidates, key=lambda each: measured[str(each)])
    overruled = measured[str(expected)] < VETO * measured[str(fastest)]
    chosen = fastest if overruled else expected
    return Precision(chosen.name, chosen.layout, img_per_s={str(c): measured[str(c)] for c in candidates})


def machine_key(network: Network, shape: tuple[int, ...], device: torch.device) -> str:
    """What a measurement holds for."""
    facts = [processor(device), torch.__version__, torch.get_num_threads(), shape, str(network)]
    return sha256_bytes(repr(facts).encode())[:16]


def processor(device: torch.device) -> str:
    """The GPU's name, or what torch knows of the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else repr(_capabilities())


def has_bf16_units(device: torch.device) -> bool:
    """Whether the processor multiplies bf16 itself; no where it cannot be told."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = _capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))


def _capabilities() -> dict[str, Any]:
    """Of the CPU, as torch names them; older versions of torch do not tell."""
    tell = getattr(torch.cpu, "get_capabilities", dict)
    return dict(tell())


def stepper(
    network: Network, precision: Precision, shape: tuple[int, ...], device: torch.device
) -> Callable[[], None]:
    """Does a training step, and waits for it."""
    network = network.to(device).lay_out(precision.memory_format).train()
    if precision.compiled:
        network.compile()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    inputs = [each.to(device) for each in network.example(shape)]

    def step() -> None:
        with torch.autocast(device.type, _TYPES[precision.name], enabled=precision.name != "fp32"):
            loss: Tensor = network(*inputs).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return step


def measure(candidates: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Least seconds of `_STEPS` steps for each candidate, taken in turns so that drift meets all alike."""
    for step in candidates.values():
        step()
    best = dict.fromkeys(candidates, float("inf"))
    begun = time.perf_counter()
    for _ in range(_ROUNDS):
        for name, step in candidates.items():
            start = time.perf_counter()
            for _ in range(_STEPS):
                step()
            best[name] = min(best[name], time.perf_counter() - start)
        if time.perf_counter() - begun > _ENOUGH_SECONDS:
            break
    return best


def seconds_of_a_step(step: Callable[[], None]) -> float:
    return measure({"": step})[""] / _STEPS
