"""Sections `train.early_stopping` and `train.stop_at`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from convoy.config._base import Section
from convoy.config._numbers import NonNegative

Monitor = Literal["val_loss", "val_accuracy"]


def rises(monitor: str) -> bool:
    """Whether more of a monitored value is better."""
    return monitor.endswith("accuracy")


class EarlyStoppingConfig(Section):
    monitor: Monitor
    patience: int = Field(ge=1)
    min_delta: NonNegative = 0.0


class StopAtConfig(Section):
    """The end of the first epoch whose monitored value is this good is the end of the training."""

    monitor: Monitor
    value: NonNegative

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if rises(self.monitor) and self.value > 1:
            raise ValueError(f"{self.monitor} is a share: a value of {self.value:g} is never reached")
        return self
