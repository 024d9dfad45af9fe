"""What checkpoints cost: an epoch of a real training with one after each, over the same without any.

Both are `fit`: batches, validation, journal. On the other side nothing is saved at all.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import mnist
from benchmarks.epoch import best_precision, conditions
from benchmarks.measure import Report, in_turns, ratio, spread, verdict
from benchmarks.ours import Timed, turn, whole, without_checkpoints
from convoy.training.precision import Precision

TARGET = 1.02
IMAGES, EPOCHS = 12_000, 4

WITH, WITHOUT = "a checkpoint after every epoch", "none"


def run(rounds: int, progress: Callable[[str], None], *, images: int = IMAGES) -> Report:
    with TemporaryDirectory(prefix="convoy-bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = mnist.stores(mnist.arrays(Path(folder) / "arrays", images), Path(folder) / "stores")
        job = replace(mnist.task(data, EPOCHS), precision=Precision(best_precision()))
        size = sum(value.numel() for value in job.build().state_dict().values()) * 3 * 4 / 1e6
        kept: dict[str, list[Timed]] = {WITH: [], WITHOUT: []}
        seconds = in_turns(
            {
                WITH: turn(lambda: whole(job, None), kept[WITH]),
                WITHOUT: turn(lambda: without_checkpoints(job, None), kept[WITHOUT]),
            },
            rounds,
            progress,
        )
    losses = {
        tuple(epoch["train_loss"] for epoch in timed.history) for runs in kept.values() for timed in runs
    }
    assert len(losses) == 1, "checkpoints changed the training"
    found = ratio(seconds[WITH], seconds[WITHOUT])
    return Report(
        title=f"checkpointing: seconds of an epoch, mnist_cnn, {job.precision.name}, {images:,} images",
        columns=["", "s / epoch", "ratio", f"target ≤ {TARGET}"],
        rows=[
            [WITH, spread(seconds[WITH]), f"{found:.3f}", verdict(found, TARGET)],
            [WITHOUT, spread(seconds[WITHOUT]), "1", ""],
        ],
        notes=[
            f"A checkpoint is about {size:.0f} MB (weights and Adam's two moments), synced to the disk.",
            f"The losses of all trainings are the same to the bit. An epoch of all 60,000 images is "
            f"{60_000 / images:.0f} times as long, its checkpoint the same.",
            conditions(job.config.batch_size, rounds),
        ],
        data={"seconds": seconds, "ratio": found, "images": images, "target": TARGET, "met": found <= TARGET},
    )
