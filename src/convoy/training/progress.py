"""One progress bar on a terminal; one line an epoch where there is none. Both tell the same numbers."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from convoy.training.pace import Pace

_REFRESH_SECONDS = 0.5  # a loss on a GPU must be waited for: not at every step


def say(text: str) -> None:
    """A line of its own on stdout, between those of the epochs."""
    Console(file=sys.stdout).print(text, highlight=False, markup=False, soft_wrap=True)


class EpochProgress(pl.Callback):
    """Shown by the first rank.

    Args:
        monitor: the metric that the bar shows beside the loss, of the last epoch.
    """

    def __init__(self, epochs: int, batch_size: int, pace: Pace, monitor: str) -> None:
        self._epochs = epochs
        self._batch_size = batch_size
        self._pace = pace
        self._monitor = monitor
        self._console = Console(file=sys.stdout)
        self._bar: Progress | None = None
        self._shown = (0.0, 0)  # when, and at which step
        self._metric = ""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._console.is_terminal and trainer.is_global_zero:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            batches = int(trainer.num_training_batches)
            done = trainer.current_epoch * batches + (trainer.fit_loop.batch_idx + 1) % batches
            self._bar.add_task("training", total=self._epochs * batches, completed=done)
            self._shown = (time.monotonic(), done)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._bar is None or time.monotonic() - self._shown[0] < _REFRESH_SECONDS:
            return
        now = time.monotonic()
        done = trainer.current_epoch * int(trainer.num_training_batches) + batch_idx + 1
        rate = (done - self._shown[1]) * self._batch_size / (now - self._shown[0])
        self._shown = (now, done)
        loss = float(outputs["loss"] if isinstance(outputs, Mapping) else outputs)
        text = f"loss {loss:.4f}  {self._metric}{rate:,.0f} samples/s"
        self._bar.update(self._bar.task_ids[0], completed=done, description=text)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self._metric = f"{self._monitor} {values[self._monitor]:.4f}  "
        width = len(str(self._epochs))
        text = "  ".join(
            [
                f"epoch {trainer.current_epoch + 1:{width}d}/{self._epochs}",
                *(f"{name} {value:.4f}" for name, value in sorted(values.items())),
                f"{self._pace.seconds:.1f} s",
                f"{self._pace.images_per_second:,.0f} samples/s",
            ]
        )
        self._console.print(text, highlight=False, soft_wrap=True)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
