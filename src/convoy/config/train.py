"""Sections `objective` and `train`."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from convoy.config._base import Section
from convoy.config.finetune import FineTuneConfig

Positive = Annotated[float, Field(gt=0.0)]
NonNegative = Annotated[float, Field(ge=0.0)]


class ObjectiveConfig(Section):
    name: Literal["classification"]
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0


class SgdConfig(Section):
    name: Literal["sgd"]
    lr: Positive
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    nesterov: bool = False
    weight_decay: NonNegative = 0.0
    decay_norms_and_biases: bool = False

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov: true needs momentum above 0")
        return self


class AdamConfig(Section):
    """Adam, or AdamW (decoupled weight decay, Loshchilov & Hutter 2019)."""

    name: Literal["adam", "adamw"]
    lr: Positive
    weight_decay: NonNegative = 0.0
    decay_norms_and_biases: bool = False


class ScheduleConfig(Section):
    """The learning rate over time, stepped every batch; a linear warm-up comes before any."""

    name: Literal["fixed", "step", "cosine"]
    warmup_epochs: NonNegative = 0.0
    step_epochs: int = Field(default=10, ge=1, description="`step`: epochs between two cuts")
    gamma: Annotated[float, Field(gt=0.0, le=1.0)] = Field(default=0.1, description="`step`: the factor")
    final_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        default=0.01, description="`cosine`: where it ends, as a share of lr"
    )


class EarlyStoppingConfig(Section):
    monitor: Literal["val_loss", "val_accuracy"]
    patience: int = Field(ge=1)
    min_delta: NonNegative = 0.0


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
    optimizer: Annotated[SgdConfig | AdamConfig, Field(discriminator="name")]
    fine_tune: FineTuneConfig | None = None
    schedule: ScheduleConfig
    early_stopping: EarlyStoppingConfig | None
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
    def _warmup_ends(self) -> Self:
        if self.schedule.warmup_epochs >= self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs ({self.schedule.warmup_epochs}) must be less than "
                f"epochs ({self.epochs})"
            )
        return self
