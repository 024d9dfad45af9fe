"""The callback that writes each epoch into the journal."""

from typing import Any

import pytorch_lightning as pl

from convoy.training.journal import EPOCH_SECONDS, IMAGES_PER_SECOND, Event, Journal
from convoy.training.pace import Pace


class Recorder(pl.Callback):
    """Of several ranks, the first writes.

    Its state is the history so far: a checkpoint knows the epochs that it stands on, whatever has become of
    the journal.
    """

    def __init__(self, journal: Journal, pace: Pace) -> None:
        self._journal = journal
        self._pace = pace
        self._history: list[Event] = []

    def state_dict(self) -> dict[str, Any]:
        return {"history": list(self._history)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._history = list(state_dict["history"])

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        values = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        values["lr"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        values[EPOCH_SECONDS] = round(self._pace.seconds, 3)
        values[IMAGES_PER_SECOND] = round(self._pace.images_per_second, 1)
        self._history.append(self._journal.append("metrics", step=trainer.current_epoch, values=values))


def history(checkpoint: dict[str, Any]) -> list[Event]:
    """The `metrics` events of the epochs before a checkpoint."""
    found: list[Event] = checkpoint["callbacks"][Recorder.__qualname__]["history"]
    return found
