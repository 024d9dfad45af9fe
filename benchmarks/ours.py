"""Our side: `convoy.training.fit.fit`, as the train stage calls it, on a clock that it has anyway.

That clock is the journal: its `metrics` events carry the time at which an epoch was on record. From one to
the next lies a whole epoch: batches, validation, best and last checkpoint, the journal itself.
"""

import io
import logging
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytorch_lightning as pl
import torch

from benchmarks.prepared import Prepared
from convoy.config.model import ModelConfig
from convoy.config.train import TrainConfig
from convoy.data.loader import PLAIN, Augment, BatchLoader, Loading
from convoy.training import checkpoints, network
from convoy.training.feed import TensorFeed
from convoy.training.fit import fit
from convoy.training.journal import Journal
from convoy.training.learner import Learner
from convoy.training.network import Network
from convoy.training.objectives.classification import Classification
from convoy.training.precision import Precision

VALIDATION_BATCH = 512


@dataclass(frozen=True)
class Task:
    """What both sides of a comparison train."""

    data: Prepared
    model: ModelConfig
    config: TrainConfig
    precision: Precision
    loading: Loading = PLAIN

    def build(self) -> Network:
        return network.build(self.model, self.data.preprocessor)

    @property
    def objective(self) -> Classification:
        return Classification(self.data.objective)


@dataclass(frozen=True)
class Timed:
    """One training: seconds before its first epoch, mean seconds of the later epochs, what came out."""

    set_up: float
    epoch: float
    steps: int
    history: list[dict[str, float]]  # by epoch: train_loss, val_loss, val_accuracy


def whole(task: Task, augment: Augment | None, *, journal: Callable[[Path], Journal] = Journal) -> Timed:
    """The real path: journal, progress lines, early stopping, both checkpoints.

    Args:
        journal: makes the journal; for one that does more than write.
    """
    with TemporaryDirectory(prefix="convoy-bench-") as folder:
        record = journal(Path(folder) / "journal.jsonl")
        _fit(task, augment, record)
        last = torch.load(checkpoints.last_path(_folder(record)), weights_only=True)
        return _timed(record, int(last["global_step"]))


def without_checkpoints(task: Task, augment: Augment | None) -> Timed:
    """The same training with nothing kept: `fit` finds no weights to return in the end."""
    with (
        TemporaryDirectory(prefix="convoy-bench-") as folder,
        patch.object(pl.Trainer, "save_checkpoint", lambda *_, **__: None),
    ):
        record = Journal(Path(folder) / "journal.jsonl")
        with suppress(FileNotFoundError):
            _fit(task, augment, record)
        assert not list(Path(folder).rglob("*.ckpt"))
        return _timed(record, task.config.epochs * -(-len(task.data.train) // task.config.batch_size))


def _fit(task: Task, augment: Augment | None, journal: Journal) -> None:
    """Train as the train stage does, with the checkpoints beside the journal."""
    journal.append("start")
    with redirect_stdout(io.StringIO()):
        fit(
            task.build,
            task.objective,
            task.config,
            train=[task.data.train],
            val=task.data.val,
            augment=augment,
            loading=task.loading,
            device=torch.device("cpu"),
            precision=task.precision,
            folder=_folder(journal),
            journal=journal,
        )


def _folder(journal: Journal) -> Path:
    return journal.path.parent / "checkpoints"


def _timed(journal: Journal, steps: int) -> Timed:
    start, *events = [event for event in journal.events() if event["event"] in ("start", "metrics")]
    return Timed(
        set_up=events[0]["t"] - start["t"] - events[0]["values"]["epoch_seconds"],
        epoch=_periods([event["t"] for event in events]),
        steps=steps,
        history=[event["values"] for event in events],
    )


def bare(task: Task) -> float:
    """Seconds of an epoch of our Learner and loader in a Trainer without any callback."""
    loader = BatchLoader(
        [task.data.train], batch_size=task.config.batch_size, seed=task.config.seed, shuffle=True
    )
    torch.manual_seed(task.config.seed)
    net = task.build().lay_out(task.precision.memory_format)
    clock = EpochClock()
    trainer = quiet_trainer(task, callbacks=[clock], enable_checkpointing=False)
    trainer.fit(
        Learner(net, task.objective, task.config, batches=len(loader), samples=loader.samples),
        TensorFeed(loader, lambda: int(trainer.current_epoch)),
        TensorFeed(BatchLoader([task.data.val], batch_size=VALIDATION_BATCH)),
    )
    return clock.epoch()


def quiet_trainer(task: Task, **options: Any) -> pl.Trainer:
    """A Trainer with nothing on the screen and no logger, for either side."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "precision": task.precision.lightning,
        "max_epochs": task.config.epochs,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    return pl.Trainer(**{**settings, **options})


class EpochClock(pl.Callback):
    """The time at which each epoch ended, for trainings that write no journal."""

    def __init__(self) -> None:
        self._ends: list[float] = []

    def on_train_epoch_end(self, *_: object) -> None:
        self._ends.append(time.time())

    def epoch(self) -> float:
        return _periods(self._ends)


def _periods(ends: list[float]) -> float:
    """Mean seconds from one epoch's end to the next; the first epoch holds the set-up and is left out."""
    return mean(after - before for before, after in pairwise(ends))


def turn(timed: Callable[[], Timed], kept: list[Timed]) -> Callable[[], float]:
    """A side for `in_turns` that also keeps what each training found."""

    def side() -> float:
        kept.append(timed())
        return kept[-1].epoch

    return side
