"""Section `train.schedule`: the learning rate over time, changed at every step of the optimiser."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from convoy.config._base import Section
from convoy.config._numbers import BelowOne, NonNegative, Share
from convoy.config.stopping import Monitor

Gamma = Annotated[float, Field(gt=0.0, le=1.0)]
OpenShare = Annotated[float, Field(gt=0.0, lt=1.0)]


class _Schedule(Section):
    name: str
    warmup_epochs: NonNegative = Field(default=0.0, description="linear rise before the schedule proper")


class FixedConfig(_Schedule):
    name: Literal["fixed"]


class StepConfig(_Schedule):
    name: Literal["step"]
    step_epochs: int = Field(default=10, ge=1, description="epochs between two cuts")
    gamma: Gamma = Field(default=0.1, description="the factor of a cut")


class MultiStepConfig(_Schedule):
    name: Literal["multi_step"]
    milestones: list[Annotated[int, Field(ge=1)]] = Field(
        min_length=1, description="epochs after which the rate is cut"
    )
    gamma: Gamma = Field(default=0.1, description="the factor of a cut")

    @model_validator(mode="after")
    def _milestones_rise(self) -> Self:
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError(f"milestones must rise, unlike {self.milestones}")
        return self


class ExponentialConfig(_Schedule):
    name: Literal["exponential"]
    gamma: Gamma = Field(default=0.9, description="the factor of every epoch")


class CosineConfig(_Schedule):
    """Half a cosine down (Loshchilov & Hutter 2017)."""

    name: Literal["cosine"]
    final_fraction: Share = Field(default=0.01, description="where it ends, as a share of lr")


class CosineRestartsConfig(_Schedule):
    """Half cosines, each after the other from the top (SGDR, Loshchilov & Hutter 2017)."""

    name: Literal["cosine_restarts"]
    first_epochs: int = Field(default=10, ge=1, description="length of the first cosine")
    growth: int = Field(default=1, ge=1, description="how much longer each is than the one before")
    final_fraction: Share = Field(default=0.0, description="where each ends, as a share of lr")


class OneCycleConfig(_Schedule):
    """Up to lr and down again, momentum the other way (Smith & Topin 2018); defaults as in torch."""

    name: Literal["one_cycle"]
    rise: OpenShare = Field(default=0.3, description="share of the steps that go up")
    start_fraction: OpenShare = Field(default=0.04, description="where it starts, as a share of lr")
    final_fraction: Share = Field(default=4e-6, description="where it ends, as a share of lr")
    momentum: Annotated[list[BelowOne], Field(min_length=2, max_length=2)] | None = Field(
        default=[0.85, 0.95],
        description="lowest (at the top) and highest momentum, or Adam's first beta. null: left alone",
    )


class PlateauConfig(_Schedule):
    """Cut when the monitored value no longer gets better."""

    name: Literal["plateau"]
    monitor: Monitor = "val_loss"
    factor: OpenShare = Field(default=0.1, description="the factor of a cut")
    patience: int = Field(default=5, ge=0, description="epochs without a better value that are borne")
    threshold: NonNegative = Field(default=1e-4, description="share by which a value must be better")
    cooldown: int = Field(default=0, ge=0, description="epochs after a cut in which none are counted")
    final_fraction: Share = Field(default=0.0, description="share of lr below which it is not cut")


ScheduleConfig = Annotated[
    FixedConfig
    | StepConfig
    | MultiStepConfig
    | ExponentialConfig
    | CosineConfig
    | CosineRestartsConfig
    | OneCycleConfig
    | PlateauConfig,
    Field(discriminator="name"),
]
