"""When a training ends before its last epoch, and how its checkpoint says so."""

import time
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

from convoy.config.stopping import StopAtConfig, rises
from convoy.config.train import TrainConfig


class StopAt(pl.Callback):
    """Ends the training with the first epoch whose monitored value is good enough."""

    def __init__(self, config: StopAtConfig) -> None:
        self._config = config
        self._reached = False

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        value = float(trainer.callback_metrics[self._config.monitor])
        wanted = self._config.value
        self._reached = value >= wanted if rises(self._config.monitor) else value <= wanted
        trainer.should_stop = trainer.should_stop or self._reached

    def state_dict(self) -> dict[str, Any]:
        return {"reached": self._reached}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._reached = state_dict["reached"]


class TimeBudget(pl.Callback):
    """Ends the training after the epoch behind which another one as long would be too late.

    One epoch is always trained. A resumed training has used what its checkpoint had.
    """

    def __init__(self, minutes: float) -> None:
        self._seconds = 60 * minutes
        self._before = 0.0  # used by the processes that were killed
        self._since: float | None = None
        self._whole = 0.0  # used up to the end of the latest epoch
        self._over = False

    @property
    def _used(self) -> float:
        return self._before + (0.0 if self._since is None else time.monotonic() - self._since)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        used = self._used
        epoch, self._whole = used - self._whole, used
        # ranks may differ by a moment, and must not by an epoch
        over = trainer.strategy.reduce_boolean_decision(used + epoch > self._seconds, all=False)
        self._over = bool(over)
        trainer.should_stop = trainer.should_stop or self._over

    def state_dict(self) -> dict[str, Any]:
        return {"used": self._used, "whole": self._whole, "over": self._over}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._before, self._whole = state_dict["used"], state_dict["whole"]
        self._over = state_dict["over"]


def callbacks(config: TrainConfig) -> list[pl.Callback]:
    """Those that the configuration asks for; their state is in the checkpoint."""
    found: list[pl.Callback] = []
    if config.early_stopping is not None:
        section = config.early_stopping
        mode = "max" if rises(section.monitor) else "min"
        found.append(
            EarlyStopping(section.monitor, mode=mode, patience=section.patience, min_delta=section.min_delta)
        )
    if config.stop_at is not None:
        found.append(StopAt(config.stop_at))
    if config.max_minutes is not None:
        found.append(TimeBudget(config.max_minutes))
    return found


def monitor(config: TrainConfig) -> str:
    """The value by which an epoch is the best: early stopping's, else that to be reached, else the loss."""
    section = config.early_stopping or config.stop_at
    return section.monitor if section is not None else "val_loss"


def ended_by(states: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Which of the sections ended the training that a checkpoint's callback states are of; None: none did."""
    for name, state in states.items():
        if name.startswith(EarlyStopping.__qualname__) and state["wait_count"] >= state["patience"]:
            return "early_stopping"
        if name.startswith(StopAt.__qualname__) and state["reached"]:
            return "stop_at"
        if name.startswith(TimeBudget.__qualname__) and state["over"]:
            return "max_minutes"
    return None
