"""`precision: auto` over fp32: images a second, and the test accuracy that it costs.

Real trainings of `mnist_cnn` on a part of MNIST, a seed a round: both sides of a round begin with the same
weights and see the same batches. The first epoch of each is not timed. Accuracy is that of the last epoch on
the test images; nothing is chosen by it.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory

import torch

from benchmarks import mnist
from benchmarks.frameworks.turns import BATCH
from benchmarks.measure import Report, ratio, spread
from benchmarks.ours import Timed, whole
from convoy.training import precision

TARGET = 3.0  # times the images a second
BOUND = 0.002  # of the mean test accuracy
IMAGES, EPOCHS = 18_000, 3


def run(rounds: int, progress: Callable[[str], None], *, images: int = IMAGES) -> Report:
    kept: dict[str, list[Timed]] = {"auto": [], "fp32": []}
    with TemporaryDirectory(prefix="convoy-bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = mnist.stores(mnist.arrays(Path(folder) / "arrays", images), Path(folder) / "stores")
        job = mnist.task(data, EPOCHS, "cosine")
        progress("measuring, as `auto` does")
        auto = precision.choose(job.build, (BATCH, 28, 28, 1), torch.device("cpu"), Path(folder) / "cache")
        for seed in range(rounds):
            config = job.config.model_copy(update={"seed": seed})
            for name, chosen in (("auto", auto), ("fp32", job.precision)):
                progress(f"seed {seed + 1}/{rounds}: {name}")
                kept[name].append(whole(replace(job, config=config, precision=chosen), None))
    seconds = {name: [timed.epoch for timed in runs] for name, runs in kept.items()}
    accuracy = {name: [timed.history[-1]["val_accuracy"] for timed in runs] for name, runs in kept.items()}
    gain = ratio(seconds["fp32"], seconds["auto"])
    lost = mean(accuracy["fp32"]) - mean(accuracy["auto"])
    met = "met" if gain >= TARGET else "MISSED"
    return Report(
        title=f"precision: auto ({auto.name}, {str(auto.memory_format).removeprefix('torch.')}) over fp32",
        columns=["", "s / epoch", "images/s", f"gain, ≥ {TARGET:.0f}", "test accuracy, mean ± sd"],
        rows=[
            [
                name,
                spread(taken),
                f"{images / sorted(taken)[len(taken) // 2]:,.0f}",
                f"{gain:.2f} {met}" if name == "auto" else "",
                _accuracy(accuracy[name]),
            ]
            for name, taken in seconds.items()
        ],
        notes=[
            f"Accuracy lost: {100 * lost:+.2f} points over {rounds} seeds "
            f"({'met' if lost <= BOUND else 'MISSED'}: at most {100 * BOUND:.1f}).",
            f"mnist_cnn, {images:,} images of MNIST, {EPOCHS} epochs, evaluation included, "
            f"{torch.get_num_threads()} threads.",
            "With AVX512-BF16 the peak of bf16 is twice that of fp32; a factor of 3 needs AMX.",
        ],
        data={
            "seconds": seconds, "accuracy": accuracy, "gain": gain, "lost": lost, "precision": auto.name,
            "images": images, "target": TARGET, "met": gain >= TARGET and lost <= BOUND,
        },
    )  # fmt: skip


def _accuracy(values: list[float]) -> str:
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")
