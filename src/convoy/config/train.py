"""Section `train`."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from convoy.config._base import Section
from convoy.config._numbers import NonNegative, Positive
from convoy.config.optimizer import OptimizerConfig
from convoy.config.regularise import AveragingConfig, GradientClippingConfig
from convoy.config.schedule import ScheduleConfig
from convoy.config.stopping import EarlyStoppingConfig, StopAtConfig


class LoaderConfig(Section):
    """How batches are made beside the training. It changes the speed alone: the batches are the same."""

    workers: int | Literal["auto"] = Field(
        default="auto",
        description="threads that make batches; auto: all cores but one; 0: none beside training",
    )
    prefetch: int = Field(default=4, ge=1, le=1024, description="batches made ahead")

    @field_validator("workers", mode="before")
    @classmethod
    def _workers(cls, value: object) -> object:
        if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value
        raise ValueError("must be auto or a whole number of at least 0")


class TrainConfig(Section):
    seed: int = Field(ge=0)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    accumulate_batches: int = Field(default=1, ge=1, description="batches whose gradients make one step")
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    gradient_clipping: GradientClippingConfig | None = Field(default=None, description="null: off")
    l1: NonNegative = Field(default=0.0, description="penalty: this times the sum of all |weight|, no biases")
    l2: NonNegative = Field(default=0.0, description="penalty: this times the sum of all weight², no biases")
    averaging: AveragingConfig | None = Field(default=None, description="of the weights; null: off")
    early_stopping: EarlyStoppingConfig | None
    stop_at: StopAtConfig | None = Field(default=None, description="null: off")
    max_minutes: Positive | None = Field(
        default=None,
        description="no epoch is begun that would end later; such a training is no function of its inputs",
    )
    device: Literal["auto", "cpu", "gpu"]
    precision: Literal["auto", "fp32", "bf16"]
    threads: int | Literal["auto"] = Field(description="CPU threads; equal bits need equal threads")
    loader: LoaderConfig = Field(default_factory=LoaderConfig)

    @field_validator("threads", mode="before")
    @classmethod
    def _threads(cls, value: object) -> object:
        if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
            return value
        raise ValueError("must be auto or a whole number of at least 1")

    @model_validator(mode="after")
    def _schedule_fits_the_epochs(self) -> Self:
        schedule, averaging = self.schedule, self.averaging
        if schedule.warmup_epochs >= self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs ({schedule.warmup_epochs}) must be less than epochs ({self.epochs})"
            )
        if schedule.name == "multi_step" and schedule.milestones[-1] >= self.epochs:
            raise ValueError(
                f"schedule.milestones ({schedule.milestones[-1]}) must be less than epochs ({self.epochs})"
            )
        if averaging is not None and averaging.name == "swa":
            if averaging.start_epoch >= self.epochs:
                raise ValueError(
                    f"averaging.start_epoch ({averaging.start_epoch}) must be less than "
                    f"epochs ({self.epochs})"
                )
            if schedule.name in ("plateau", "one_cycle"):
                raise ValueError(
                    f"averaging: swa sets the learning rate from its start on, and so does schedule: "
                    f"{schedule.name}; use another schedule, or averaging: ema"
                )
        return self

    @model_validator(mode="after")
    def _cycled_momentum_is_there(self) -> Self:
        if self.schedule.name != "one_cycle" or self.schedule.momentum is None:
            return self
        if not hasattr(self.optimizer, "betas") and not getattr(self.optimizer, "momentum", 0.0):
            raise ValueError(
                f"schedule.momentum needs an optimizer with momentum; {self.optimizer.name} has none here: "
                "set schedule.momentum: null or optimizer.momentum"
            )
        return self
