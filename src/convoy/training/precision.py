"""Which number format trains fastest here, found by a measurement of about a second.

On processors with bf16 units (AMX, AVX512-BF16, Arm BF16, CUDA from Ampere on), bf16 in channels_last is 1.6
to 5 times faster than fp32; without them it is slower. So the units decide, and the measurement can veto
them: a ratio near 1 would flip with the machine's load, and two runs on one machine must choose alike to end
in the same bytes.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from convoy.io import read_json, sha256_bytes, write_json
from convoy.training.network import Network

Name = Literal["fp32", "bf16"]
VETO = 0.8  # bf16 is left where it is measured below this share of fp32's speed
_ROUNDS = 5
_STEPS = 2


@dataclass(frozen=True)
class Precision:
    """`name` is the compute format of matrix operations; weights, optimiser and loss stay fp32."""

    name: Name
    img_per_s: dict[str, float] | None = None  # the measurement, where there was one

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.name == "bf16" else torch.contiguous_format

    @property
    def lightning(self) -> Literal["32-true", "bf16-mixed"]:
        return "bf16-mixed" if self.name == "bf16" else "32-true"


def choose(
    build: Callable[[], Network], shape: tuple[int, int, int, int], device: torch.device, cache: Path
) -> Precision:
    """bf16 where the processor has units for it and a measurement, or its memory, does not speak against it.

    Args:
        build: makes a fresh network.
        shape: (N, H, W, C) of a training batch.
        device: where training will run.
        cache: folder that keeps one file for each measured (machine, torch, network, batch, threads).
    """
    names: tuple[Name, ...] = ("fp32", "bf16")
    if not has_bf16_units(device):
        return Precision("fp32")
    file = cache / f"{_machine_key(build(), shape, device)}.json"
    if file.is_file():
        measured: dict[str, float] = read_json(file)
    else:
        seconds = _measure([(name, _stepper(build(), name, shape, device)) for name in names])
        measured = {name: round(shape[0] * _STEPS / seconds[name], 1) for name in names}
        write_json(file, measured)
    return Precision("bf16" if measured["bf16"] >= VETO * measured["fp32"] else "fp32", measured)


def _machine_key(network: Network, shape: tuple[int, ...], device: torch.device) -> str:
    processor = torch.cuda.get_device_name(device) if device.type == "cuda" else _capabilities()
    facts = [processor, torch.__version__, torch.get_num_threads(), shape, str(network)]
    return sha256_bytes(repr(facts).encode())[:16]


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


def _stepper(
    network: Network, name: Name, shape: tuple[int, int, int, int], device: torch.device
) -> Callable[[], None]:
    network = network.to(device).lay_out(Precision(name).memory_format).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    images = torch.zeros(shape, dtype=torch.uint8, device=device)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=name == "bf16"):
            loss: Tensor = network(images).square().mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return step


def _measure(candidates: list[tuple[Name, Callable[[], None]]]) -> dict[str, float]:
    """Least seconds of `_STEPS` steps for each candidate, taken in turns so that drift meets all alike."""
    for _, step in candidates:
        step()
    best: dict[str, float] = {name: float("inf") for name, _ in candidates}
    for _ in range(_ROUNDS):
        for name, step in candidates:
            start = time.perf_counter()
            for _ in range(_STEPS):
                step()
            best[name] = min(best[name], time.perf_counter() - start)
    return best
