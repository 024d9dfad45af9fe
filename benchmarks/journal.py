"""What an event of the journal costs: the append, and the sync that the checkpoint's thread makes."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from benchmarks.measure import Report
from convoy.training.journal import Journal

APPENDS, SYNCED = 2000, 200  # a round
TARGET = 50.0  # µs
_VALUES = {
    name: 0.123456789 * n
    for n, name in enumerate(
        ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "grad_norm", "epoch_seconds",
         "images_per_second")
    )
}  # fmt: skip


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    taken: dict[str, list[float]] = {"append": [], "append, synced": [], "a bare write": []}
    with TemporaryDirectory(prefix="convoy-bench-", dir=Path.cwd()) as folder:  # a disk, not a tmpfs
        for turn in range(rounds + 1):
            progress(f"round {turn}/{rounds}")
            here = Path(folder) / str(turn)
            found = {
                "append": _appends(here / "a", APPENDS, synced=False),
                "append, synced": _appends(here / "b", SYNCED, synced=True),
                "a bare write": _writes(here / "c"),
            }
            if turn:
                for name, times in found.items():
                    taken[name] += times
    figures = {name: _figures(times) for name, times in taken.items()}
    met = figures["append"]["median"] <= TARGET
    return Report(
        title=f"an event of {len(_VALUES)} metrics in the journal; target: an append in {TARGET:.0f} µs",
        columns=["", "median µs", "90 %", "99 %"],
        rows=[[name, *(f"{value:.1f}" for value in each.values())] for name, each in figures.items()],
        notes=[
            "append: the event has left the process, so kill -9 takes none of it. Synced: nor does a power "
            "cut; done at once for the first and the last event, and for those between by the thread that "
            "writes a checkpoint, before the checkpoint gets its name.",
            "a bare write: the same line through one open file descriptor.",
            f"verdict: {'met' if met else 'MISSED'}",
        ],
        data=figures,
    )


def _appends(folder: Path, count: int, *, synced: bool) -> list[float]:
    journal = Journal(folder / "journal.jsonl")
    taken = []
    for step in range(count):
        begun = time.perf_counter()
        journal.append("metrics", synced=synced, step=step, values=_VALUES)
        taken.append(time.perf_counter() - begun)
    return taken


def _writes(folder: Path) -> list[float]:
    journal = Journal(folder / "journal.jsonl")
    journal.append("metrics", step=0, values=_VALUES)
    line = journal.path.read_bytes()
    handle = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    taken = []
    for _ in range(APPENDS):
        begun = time.perf_counter()
        os.write(handle, line)
        taken.append(time.perf_counter() - begun)
    os.close(handle)
    return taken


def _figures(seconds: list[float]) -> dict[str, float]:
    """In µs."""
    cuts = quantiles([1e6 * each for each in seconds], n=100)
    return {"median": median([1e6 * each for each in seconds]), "p90": cuts[89], "p99": cuts[98]}
