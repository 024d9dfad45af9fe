"""(a) Our training epoch over a hand-written PyTorch loop.

Same tensors, model, precision, optimiser and schedule; no augmentation on either side. Ours is all that a
training does in an epoch (validation, journal, two checkpoints); the loop trains and validates, and keeps
nothing. Two more rows show where the difference goes.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch

from benchmarks import digits
from benchmarks.measure import Report, in_turns, ratio, spread, verdict
from benchmarks.ours import Task, Timed, bare, turn, whole
from benchmarks.peers import loop, random_order
from benchmarks.prepared import Prepared
from convoy.config.model import ModelConfig
from convoy.data.loader import BatchLoader, batch_key
from convoy.training.precision import Name, Precision, has_bf16_units

TARGET = 1.03
_EPOCHS = 3  # the first is not timed
_TOLERANCE = 1e-6

OURS, BARE, LOOP, SAVING = "convoy", "convoy, no callbacks", "PyTorch loop", "PyTorch loop that saves"


def task(data: Prepared, model: ModelConfig, precision: Name, epochs: int = _EPOCHS) -> Task:
    """A short training with the default recipe's optimiser, schedule and batch size."""
    config = data.config.train.model_copy(update={"epochs": epochs, "precision": precision})
    return Task(data, model, config, Precision(precision))


def best_precision() -> Name:
    """What `precision: auto` takes here, without its measurement: the units decide."""
    return "bf16" if has_bf16_units(torch.device("cpu")) else "fp32"


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    with TemporaryDirectory(prefix="convoy-bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        progress("preparing the digits")
        data = digits.make(Path(folder))
        job = task(data, data.config.model, best_precision())
        progress("proving that both sides do the same work")
        gap = difference(job)
        kept: dict[str, list[Timed]] = {name: [] for name in (OURS, LOOP, SAVING)}
        order = random_order(len(data.train))
        save = Path(folder) / "loop.pt"
        seconds = in_turns(
            {
                OURS: turn(lambda: whole(job, None), kept[OURS]),
                LOOP: turn(lambda: loop(job, order), kept[LOOP]),
                BARE: lambda: bare(job),
                SAVING: turn(lambda: loop(job, order, save=save), kept[SAVING]),
            },
            rounds,
            progress,
        )
    steps = {timed.steps for runs in kept.values() for timed in runs}
    assert len(steps) == 1, f"the sides took different numbers of steps: {steps}"
    ratios = {name: ratio(taken, seconds[LOOP]) for name, taken in seconds.items()}
    fair = ratio(seconds[OURS], seconds[SAVING])
    set_up = median(timed.set_up for timed in kept[OURS])
    return Report(
        title=f"(a) seconds of an epoch: {job.model.name}, {job.precision.name}, {len(data.train)} images",
        columns=["side", "s / epoch (least–most)", "over the loop", f"target ≤ {TARGET:.2f}"],
        rows=[
            [OURS, spread(seconds[OURS]), f"{ratios[OURS]:.3f}", verdict(ratios[OURS], TARGET)],
            [BARE, spread(seconds[BARE]), f"{ratios[BARE]:.3f}", ""],
            [SAVING, spread(seconds[SAVING]), f"{ratios[SAVING]:.3f}", ""],
            [LOOP, spread(seconds[LOOP]), "1", ""],
        ],
        notes=[
            f"Same work: {steps.pop()} steps on each side; with the loop keyed like ours, the losses of all "
            f"{_EPOCHS} epochs (train and validation) differ by at most {gap:.1e}.",
            f"convoy over the loop that saves once an epoch: {fair:.3f}.",
            f"Set-up, once a training and not in the above: {set_up:.2f} s (network, Trainer).",
            conditions(job.config.batch_size, rounds),
        ],
        data={"seconds": seconds, "ratios": ratios, "over_saving_loop": fair, "set_up": set_up, "gap": gap,
              "target": TARGET, "met": ratios[OURS] <= TARGET, "precision": job.precision.name},
    )  # fmt: skip


def conditions(batch: int, rounds: int) -> str:
    return f"batch {batch}, {torch.get_num_threads()} threads on every side, medians of {rounds} rounds."


def difference(job: Task) -> float:
    """Largest difference of any epoch's loss between our training and the loop, both keyed alike.

    Raises:
        AssertionError: it is not rounding.
    """
    loader = BatchLoader(
        [job.data.train], batch_size=job.config.batch_size, seed=job.config.seed, shuffle=True
    )

    def order(epoch: int) -> torch.Tensor:
        loader.set_epoch(epoch)
        return torch.from_numpy(np.array(loader.order()))

    def reseed(epoch: int, step: int) -> None:
        torch.manual_seed(batch_key(job.config.seed, epoch, step))

    ours, theirs = whole(job, None), loop(job, order, reseed)
    assert ours.steps == theirs.steps
    gap = max(
        abs(mine[name] - other[name])
        for mine, other in zip(ours.history, theirs.history, strict=True)
        for name in ("train_loss", "val_loss", "val_accuracy")
    )
    assert gap <= _TOLERANCE, f"the sides do different work: losses differ by {gap}"  # nan fails, too
    return gap
