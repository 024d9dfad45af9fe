"""(c) `prepare` on all cores over one process on one core; its memory with few and with many pictures.

The data are photographs and photographed signs where the real data sets are (`CONVOY_REALDATA`, else
../shared/data beside the checkout), pictures drawn here otherwise; they are repeated where there are too few,
with bytes after their end that make each a file of its own. Memory is that of the process and all its
children (PSS, which counts shared pages once), sampled while it runs.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pandas as pd
import psutil

from benchmarks.measure import Report, in_turns, ratio, spread, under
from convoy import io
from convoy.config.data import DataConfig, PrepareConfig
from convoy.data import manifest
from convoy.data._threads import cores
from convoy.stages.prepare import prepare

TARGET = 1.8  # of one process's time, on two cores
FLAT = 1.3  # peak memory with many pictures over that with few: the table of samples has to fit in
FEW, MANY = 1_000, 50_000
_SIGNS, _TIMES = 20_000, 4
_SMALL_BYTES = 50_000
_MAX_PIXELS = 50_000_000
_PROJECT = Path(__file__).resolve().parent.parent
_SMALL = PrepareConfig(height=64, width=64, channels=1, resize="stretch")

Job = tuple[Path, PrepareConfig]  # folder with data/ and split/


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    with TemporaryDirectory(prefix="convoy-bench-") as folder:
        progress("laying out pictures")
        large = PrepareConfig(height=128, width=128, channels=3, resize="cover")
        jobs = {
            "photographs, 128 px": (_photographs(Path(folder) / "1", 1), large),
            "the same 4 times": (_photographs(Path(folder) / "4", _TIMES), large),
            "signs, 64 px, grey": (
                _signs(Path(folder) / "signs", _SIGNS),
                _SMALL,
            ),
        }
        rows, found = [], {}
        for name, job in jobs.items():
            seconds = in_turns(
                {
                    "all cores": partial(_seconds, job, "children"),
                    "one process": partial(_seconds, job, "alone"),
                    "threads": partial(_seconds, job, "threads"),
                },
                rounds,
                under(name, progress),
            )
            found[name] = {"seconds": seconds, "gain": ratio(seconds["one process"], seconds["all cores"])}
            found[name]["gain_of_threads"] = ratio(seconds["one process"], seconds["threads"])
            rows.append(_row(name, job, seconds, found[name]))
        progress("memory")
        memory = {count: _peak(_signs(Path(folder) / str(count), count)) for count in (FEW, MANY)}
    growth = memory[MANY] / memory[FEW]
    return Report(
        title=f"(c) prepare with {cores()} processes over one",
        columns=["data", "one process, s", "all cores, s", "gain", "threads' gain", f"target ≥ {TARGET}"],
        rows=rows,
        notes=[
            f"Peak memory, children included: {memory[FEW]:.0f} MiB with {FEW:,} pictures, "
            f"{memory[MANY]:.0f} MiB with {MANY:,}: {growth:.2f} times "
            f"({'flat' if growth <= FLAT else f'MISSED: more than {FLAT}'}).",
            f"All pictures decoded, nothing taken over; the children's start counts; {rounds} rounds.",
        ],
        data={"data": found, "memory_mib": memory, "growth": growth, "target": TARGET},
    )


def _row(name: str, job: Job, seconds: dict[str, list[float]], found: dict[str, Any]) -> list[str]:
    return [
        f"{name} ({len(manifest.read(job[0] / 'split')):,})",
        spread(seconds["one process"]),
        spread(seconds["all cores"]),
        f"{found['gain']:.2f}",
        f"{found['gain_of_threads']:.2f}",
        "met" if found["gain"] >= TARGET else "MISSED",
    ]


def _seconds(job: Job, how: str) -> float:
    """One run without a cache, in a process of its own as a stage has one; its imports do not count."""
    folder, config = job
    command = [sys.executable, "-m", "benchmarks.preparation", str(folder), config.model_dump_json()]
    done = subprocess.run([*command, how], cwd=_PROJECT, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def _peak(folder: Path) -> float:
    """Most memory of a run and its children, MiB."""
    command = [sys.executable, "-m", "benchmarks.preparation", str(folder), _SMALL.model_dump_json()]
    most = 0.0
    with subprocess.Popen([*command, "children"], cwd=_PROJECT, stdout=subprocess.DEVNULL) as running:
        top = psutil.Process(running.pid)
        while running.poll() is None:
            most = max(most, _memory(top))
            time.sleep(0.02)
    assert running.returncode == 0
    return most / 2**20


def _memory(top: psutil.Process) -> int:
    total = 0
    try:
        for process in (top, *top.children(recursive=True)):
            total += process.memory_full_info().pss
    except psutil.NoSuchProcess:  # one ended meanwhile
        return 0
    return total


def _real(name: str) -> Path | None:
    folder = Path(os.environ.get("CONVOY_REALDATA", _PROJECT.parent / "shared" / "data")) / name
    return folder if folder.is_dir() else None


def _photographs(folder: Path, times: int) -> Path:
    """All photographs, each `times` times."""
    real = _real("cats_dogs")
    if real is None:
        real = _drawn(folder / "drawn", 1_400, (375, 500))
    pictures = _pictures(real)
    return _repeated(pictures, folder, times * len(pictures))


def _signs(folder: Path, count: int) -> Path:
    """`count` small pictures, all different files."""
    real = _real("sign_language_digits")
    if real is None:
        real = _drawn(folder / "drawn", 500, (100, 100))
    small = [path for path in _pictures(real) if path.stat().st_size < _SMALL_BYTES]  # three are huge
    return _repeated(small, folder, count)


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))


def _repeated(originals: list[Path], folder: Path, count: int) -> Path:
    """`count` files in folder/data, made of the pictures in turn, and the table in folder/split."""
    for number in range(count):
        original = originals[number % len(originals)]
        target = folder / "data" / original.parent.name / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(original.read_bytes() + number.to_bytes(4, "big"))
    return _divided(folder)


def _drawn(folder: Path, count: int, size: tuple[int, int]) -> Path:
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        picture = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
        target = folder / str(number % 2) / f"{number}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    return folder


def _divided(folder: Path) -> Path:
    """What `split` would leave for folder/data, in folder/split; returns the folder."""
    root = folder / "data"
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*"))
    samples = pd.DataFrame(
        {
            "id": [manifest.content_id((root / path).read_bytes()) for path in paths],
            "path": paths,
            "target": [path.split("/")[0] for path in paths],
            "split": np.resize(["train"] * 7 + ["val"] + ["test"] * 2, len(paths)),
        }
    )
    manifest.write(folder / "split", samples)
    io.write_json(folder / "split" / "summary.json", {"classes": sorted(set(samples["target"]))})
    return folder


def _main(folder: str, config: str, how: str) -> None:
    """One run: with children, threads or alone (one thread on one core); prints the seconds."""
    if how == "alone":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        cv2.setNumThreads(1)
    base = Path(folder)
    data = DataConfig(source="image_folder", path=str(base / "data"))
    with TemporaryDirectory(prefix="out-", dir=base) as out:
        started = time.perf_counter()
        prepare(
            base / "split",
            data,
            PrepareConfig.model_validate_json(config),
            max_pixels=_MAX_PIXELS,
            out=Path(out) / "prepare",
            processes=cores() if how == "children" else 0,
        )
        print(time.perf_counter() - started)


if __name__ == "__main__":
    _main(*sys.argv[1:])
