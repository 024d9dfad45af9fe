"""When a checkpoint is taken: after every epoch, every so many minutes within one, before an early end."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from convoy.training import checkpoints
from convoy.training.interruption import Interruption

_VALIDATION_SECONDS = 8.0  # that a validation may still take after a signal, for its epoch to be kept


class Saving(Checkpoint):
    """Lightning calls it after all other callbacks, so that what they hold is in the checkpoint.

    Within an epoch a checkpoint is taken after an optimiser step, never after the last one: there the
    validation follows, and then that of the whole epoch.

    Args:
        minutes: between checkpoints within an epoch; None: there are none.
    """

    def __init__(self, folder: Path, minutes: float | None, interruption: Interruption) -> None:
        self._path = checkpoints.last_path(folder)
        self._seconds = float("inf") if minutes is None else 60 * minutes
        self._interruption = interruption
        self._saved = 0.0
        self._finished = False

    def state_dict(self) -> dict[str, Any]:
        return {"finished": self._finished}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._interruption.listen()
        self._saved = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.fit_loop.restarting:
            # Lightning holds the whole first epoch after a resume for a repeated one, and would leave out
            # what it does at the end of others
            trainer.fit_loop.restarting = False
        due = bool(self._interruption.number) or time.monotonic() - self._saved >= self._seconds
        if trainer.world_size > 1:
            due = self._agree(trainer, due)
        if due and not trainer.is_last_batch and (batch_idx + 1) % trainer.accumulate_grad_batches == 0:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.world_size > 1:
            self._agree(trainer, False)
        self._finished = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        self._save(trainer)

    def on_validation_batch_end(self, *_: Any, **__: Any) -> None:
        if self._interruption.seconds > _VALIDATION_SECONDS:
            self._interruption.end()

    def _save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self._path)
        self._saved = time.monotonic()
        self._interruption.end()

    def _agree(self, trainer: pl.Trainer, due: bool) -> bool:
        """Whether any rank wants a checkpoint; a signal to one is a signal to all."""
        wishes = torch.tensor([int(due), self._interruption.number], device=trainer.strategy.root_device)
        torch.distributed.all_reduce(wishes, torch.distributed.ReduceOp.MAX)
        wanted, number = (int(value) for value in wishes.tolist())
        self._interruption.hear(number)
        return bool(wanted)


def finished(checkpoint: dict[str, Any]) -> bool:
    """Whether a training had come to its end when a checkpoint was taken."""
    return bool(checkpoint["callbacks"][Saving.__qualname__]["finished"])
