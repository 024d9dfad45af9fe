"""How everything here is measured: the sides take turns, the first turn is thrown away, medians count."""

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

ROUNDS = 5

Side = Callable[[], float]  # one turn -> seconds


class Unavailable(Exception):
    """A benchmark lacks what it compares with; the message says what."""


@dataclass(frozen=True)
class Report:
    """What one benchmark found: a table for people, `data` for programs."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str]
    data: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def under(name: str, progress: Callable[[str], None]) -> Callable[[str], None]:
    """`progress` of a part: what it is told has the part's name before it."""
    return lambda text: progress(f"{name}: {text}")


def in_turns(
    sides: Mapping[str, Side], rounds: int, progress: Callable[[str], None]
) -> dict[str, list[float]]:
    """Seconds of each side by round: A B C, A B C, …, so that a drift of the machine meets all alike.

    Round 0 warms up (pages, caches, the allocator, oneDNN's kernels) and is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, side in sides.items():
            progress(f"{'warm-up' if turn == 0 else f'round {turn}/{rounds}'}: {name}")
            taken = side()
            if turn:
                seconds[name].append(taken)
    return seconds


def ratio(seconds: list[float], peer: list[float]) -> float:
    """Median over the rounds of ours / peer: each pair ran next to one another."""
    return median(ours / theirs for ours, theirs in zip(seconds, peer, strict=True))


def spread(values: list[float]) -> str:
    """Median, and least and most in brackets."""
    return f"{median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


def verdict(value: float, target: float) -> str:
    return "met" if value <= target else "MISSED"


def faster(
    name: str, seconds: Mapping[str, list[float]], count: int, least: float
) -> tuple[list[str], float]:
    """A row of samples a second, the peer's and ours, with ours over the peer's; and that ratio."""
    value = 1 / ratio(seconds["ours"], seconds["peer"])
    peer, ours = (_rates(count, seconds[side]) for side in ("peer", "ours"))
    return [name, peer, ours, f"{value:.1f}", "met" if value >= least else "MISSED"], value


def _rates(count: int, seconds: list[float]) -> str:
    rates = [count / taken for taken in seconds]
    return f"{median(rates):,.0f} ({min(rates):,.0f}–{max(rates):,.0f})"


def machine() -> dict[str, Any]:
    """The facts without which no figure means anything."""
    from importlib.metadata import version

    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": version("torch"),
        "lightning": version("pytorch-lightning"),
        "date": date.today().isoformat(),
    }


def _cpu() -> str:
    """The processor's name, and the units that decide how fast bf16 is."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    facts = dict(line.split(":", 1) for line in reversed(text.splitlines()) if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    flags = facts.get("flags", "").split()
    units = ", ".join(name for name in ("amx_bf16", "avx512_bf16") if name in flags) or "no bf16 units"
    return f"{facts.get('model name', platform.processor() or platform.machine())} ({units})"
