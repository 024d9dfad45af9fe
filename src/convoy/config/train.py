"""Section `train`."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from convoy.config._base import Section
from convoy.config._numbers import NonNegative, Positive
from convoy.config.engine import (
    Compile,
    Device,
    DistributedConfig,
    LoaderConfig,
    MemoryFormat,
    Minutes,
    Precision,
)
from convoy.config.finetune import FineTuneConfig
from convoy.config.optimizer import OptimizerConfig
from convoy.config.regularise import AveragingConfig, GradientClippingConfig
from convoy.config.schedule import ScheduleConfig
from convoy.config.stopping import EarlyStoppingConfig, StopAtConfig


class TrainConfig(Section):
    seed: int = Field(ge=0)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    accumulate_batches: int = Field(default=1, ge=1, description="batches whose gradients make one step")
    optimizer: OptimizerConfig
    fine_tune: FineTuneConfig | None = Field(default=None, description="null: off")
    schedule: ScheduleConfig
    gradient_clipping: GradientClippingConfig | None = Field(default=None, description="null: off")
    l1: NonNegative = Field(default=0.0, description="penalty: this times the sum of all |weight|, no biases")
    l2: NonNegative = Field(default=0.0, description="penalty: this times the sum of all weight², no biases")
    averaging: AveragingConfig | None = Field(default=None, description="of the weights; null: off")
    early_stopping: EarlyStoppingConfig | None
    stop_at: StopAtConfig | None = Field(default=None, description="null: off")
    keep: Literal["best", "last"] = Field(
        default="best",
        description="the weights of the best epoch on the validation split, or of the last, where that split "
        "is too small to choose by",
    )
    max_minutes: Positive | None = Field(
        default=None,
        description="no epoch is begun that would end later; such a training is no function of its inputs",
    )
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
    def _frozen_statistics_stay(self) -> Self:
        freezes = self.fine_tune is not None and self.fine_tune.freezes
        if freezes and self.averaging is not None and self.averaging.name == "swa":
            raise ValueError(
                "averaging: swa finds new statistics for batch normalisation, which fine_tune.freeze keeps; "
                "use averaging: ema"
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
        thaws = self.fine_tune is not None and self.fine_tune.unfreeze_every_epochs is not None
        if self.distributed.ranks > 1 and thaws:
            raise ValueError(
                "fine_tune.unfreeze_every_epochs needs distributed.processes: 1: "
                "several processes agree once on what learns"
            )
        if self.distributed.ranks > self.batch_size:
            raise ValueError(
                f"distributed.processes × nodes ({self.distributed.ranks}) must not exceed "
                f"batch_size ({self.batch_size}): each process takes its rows of every batch"
            )
        return self
