"""The callback that writes each epoch into the journal."""

import pytorch_lightning as pl

from convoy.training.journal import EPOCH_SECONDS, IMAGES_PER_SECOND, Journal
from convoy.training.pace import Pace


class Recorder(pl.Callback):
    """Of several ranks, the first writes."""

    def __init__(self, journal: Journal, pace: Pace) -> None:
        self._journal = journal
        self._pace = pace

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        values = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        values["lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        values[EPOCH_SECONDS] = round(self._pace.seconds, 3)
        values[IMAGES_PER_SECOND] = round(self._pace.images_per_second, 1)
        self._journal.append("metrics", step=trainer.current_epoch, values=values)
