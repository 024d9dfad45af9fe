"""The callback that writes each epoch into the journal."""

import time

import pytorch_lightning as pl

from convoy.training.journal import EPOCH_SECONDS, Journal


class Recorder(pl.Callback):
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._started = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        values = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        values["lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        values[EPOCH_SECONDS] = round(time.perf_counter() - self._started, 3)
        self._journal.append("metrics", step=trainer.current_epoch, values=values)
