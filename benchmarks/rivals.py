"""An epoch of MNIST in each framework, as a user of it gets one, and all of them in fp32.

The same images, network (`mnist_cnn`), batch size and Adam with the same rate; no augmentation, evaluation on
the test images after the epoch. Each framework trains in a process of its own (frameworks/), with its own
defaults: Keras and fastai in environments that are made for it. They take turns, an epoch each; the first
epoch of all, with imports and compilation behind it, is not counted.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks import environments, mnist
from benchmarks.measure import Report, Unavailable, in_turns, ratio, spread, verdict
from benchmarks.processes import Framework

TARGET = 0.6
IMAGES = 12_000  # of the 60,000: an epoch of all takes the slower ones a minute

_LISTS = Path(__file__).parent / "frameworks"
AUTO, FP32 = "convoy, precision: auto", "convoy, fp32"


@dataclass(frozen=True)
class _Rival:
    script: str
    requirements: str | None = None  # None: what convoy itself needs
    borrow: bool = False


RIVALS = {
    "Lightning, Dataset, DataLoader": _Rival("lightning_fit"),
    "Keras 3 (TensorFlow)": _Rival("keras_fit", "keras.txt"),
    "fastai": _Rival("fastai_fit", "fastai.txt", borrow=True),
}


def run(rounds: int, progress: Callable[[str], None], *, images: int = IMAGES) -> Report:
    missing: dict[str, str] = {}
    versions: dict[str, str] = {}
    with TemporaryDirectory(prefix="convoy-bench-") as folder, ExitStack() as running:
        data = mnist.arrays(Path(folder), images)
        options = ("--epochs", str(rounds + 1), "--threads", str(torch.get_num_threads()))
        sides: dict[str, Framework] = {}
        for name, precision in ((AUTO, "auto"), (FP32, "fp32")):
            progress(f"starting {name}")
            process = Framework("convoy_fit", data, *options, "--precision", precision)
            sides[name] = running.enter_context(process)
        for name, rival in RIVALS.items():
            progress(f"starting {name} (its environment is made once)")
            try:
                started = _start(rival, data, options)
            except Unavailable as error:
                missing[name] = str(error)
                continue
            sides[name] = running.enter_context(started)
        for process in sides.values():
            versions |= process.versions
        seconds = in_turns({name: process.epoch for name, process in sides.items()}, rounds, progress)
        accuracy = {name: process.accuracy[-1] for name, process in sides.items()}
    rivals = [name for name in sides if name in RIVALS]
    ratios = {name: {ours: ratio(seconds[ours], seconds[name]) for ours in (AUTO, FP32)} for name in rivals}
    return Report(
        title=f"rivals: seconds of an epoch, mnist_cnn, {images:,} images and {images // 6:,} tested",
        columns=["side", "s / epoch", "images/s", "test accuracy", "auto / its own", f"≤ {TARGET}", "fp32"],
        rows=[
            [
                name,
                spread(taken),
                f"{images / median(taken):,.0f}",
                f"{accuracy[name]:.4f}",
                *_columns(ratios.get(name)),
            ]
            for name, taken in seconds.items()
        ],
        notes=[
            f"Versions: {', '.join(f'{name} {version}' for name, version in sorted(versions.items()))}.",
            "`auto / its own`: convoy with `precision: auto` over the framework's defaults (fp32 in all of "
            "them); `fp32`: both in fp32.",
            f"Batches of 128, {torch.get_num_threads()} threads, {rounds} rounds of one epoch after a first "
            f"one; accuracy after all {rounds + 1}.",
            *(f"{name} is not measured: {why}" for name, why in missing.items()),
        ],
        data={
            "images": images, "seconds": seconds, "ratios": ratios, "accuracy": accuracy,
            "versions": versions, "missing": missing, "target": TARGET,
            "met": not missing and all(found[AUTO] <= TARGET for found in ratios.values()),
        },
    )  # fmt: skip


def _start(rival: _Rival, data: Path, options: tuple[str, ...]) -> Framework:
    if rival.requirements is None:
        return Framework(rival.script, data, *options)
    python = environments.python(_LISTS / rival.requirements, borrow=rival.borrow)
    return Framework(rival.script, data, *options, python=python)


def _columns(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return ["", "", ""]
    return [f"{found[AUTO]:.2f}", verdict(found[AUTO], TARGET), f"{found[FP32]:.2f}"]
