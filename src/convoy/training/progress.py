"""One progress bar on a terminal; one line an epoch where there is none. Both tell the same numbers."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class EpochProgress(pl.Callback):
    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._started = 0.0
        self._console = Console(file=sys.stdout)
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            total = self._epochs * int(trainer.num_training_batches)
            self._task = self._bar.add_task("training", total=total, completed=trainer.global_step)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started = time.perf_counter()

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        seconds = time.perf_counter() - self._started
        width = len(str(self._epochs))
        text = "  ".join(
            [
                f"epoch {trainer.current_epoch + 1:{width}d}/{self._epochs}",
                *(f"{name} {value:.4f}" for name, value in sorted(values.items())),
                f"{seconds:.1f} s",
            ]
        )
        self._console.print(text, highlight=False, soft_wrap=True)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
