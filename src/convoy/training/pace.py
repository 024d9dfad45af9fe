"""How fast an epoch goes, for those who tell it."""

import time
from typing import Any

import pytorch_lightning as pl


class Pace(pl.Callback):
    """Clocks each epoch; of a resumed one, the part that is left.

    Args:
        samples: of an epoch.
    """

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self._started = 0.0
        self._trained: float | None = None
        self._share = 1.0  # of the epoch that is clocked

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start(trainer, trainer.fit_loop.batch_idx + 1)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start(trainer, 0)

    def _start(self, trainer: pl.Trainer, first: int) -> None:
        self._started, self._trained = time.perf_counter(), None
        self._share = 1 - first / trainer.num_training_batches

    def on_validation_start(self, *_: Any) -> None:
        self._trained = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Of the epoch so far, validation included."""
        return time.perf_counter() - self._started

    @property
    def images_per_second(self) -> float:
        """Of the epoch's training, when that is over."""
        assert self._trained is not None, "the epoch is still training"
        return self._samples * self._share / (self._trained - self._started)
