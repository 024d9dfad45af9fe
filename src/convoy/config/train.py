"""Sections `objective` and `train`."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from convoy.config._base import Section
from convoy.config.engine import (
    Compile,
    Device,
    DistributedConfig,
    LoaderConfig,
    MemoryFormat,
    Minutes,
    Precision,
)

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


class TrainConfig(Section):
    seed: int = Field(ge=0)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    optimizer: Annotated[SgdConfig | AdamConfig, Field(discriminator="name")]
    schedule: ScheduleConfig
    early_stopping: EarlyStoppingConfig | None
    device: Device
    precision: Precision = Field(
        description="of matrix operations; auto: bf16 where this machine has units for it"
    )
    memory_format: MemoryFormat = Field(
        default="auto",
        description="of images; auto: measured with precision: auto, else channels_last for bf16 and fp16",
    )
    compile: Compile = Field(
        default="auto", description="torch.compile; auto: where its warm-up pays back, by a measurement"
    )
    deterministic: bool = Field(
        default=False, description="equal bits on a GPU, too, more slowly; a CPU always gives them"
    )
    threads: int | Literal["auto"] = Field(
        description="CPU threads of each process; equal bits need equal threads"
    )
    distributed: DistributedConfig = Field(default_factory=DistributedConfig)
    loader: LoaderConfig = Field(default_factory=LoaderConfig)
    checkpoint_minutes: Minutes | None = Field(
        default=None, description="between checkpoints within an epoch; null: after each epoch only"
    )

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

    @model_validator(mode="after")
    def _engine_fits(self) -> Self:
        if self.device == "cpu" and self.precision == "fp16":
            raise ValueError("precision: fp16 needs a GPU, and device is cpu; take bf16 or auto")
        if self.device == "cpu" and self.distributed.backend == "nccl":
            raise ValueError("distributed.backend: nccl needs GPUs and device is cpu: take gloo")
        if self.distributed.nodes > 1 and self.precision == "auto":
            raise ValueError(
                "distributed.nodes above 1 need precision: fp32, bf16 or fp16, not auto: "
                "each node would measure for itself"
            )
        if self.distributed.ranks > self.batch_size:
            raise ValueError(
                f"distributed.processes × nodes ({self.distributed.ranks}) must not exceed "
                f"batch_size ({self.batch_size}): each process takes its rows of every batch"
            )
        return self
