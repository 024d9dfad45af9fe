"""Section `train.optimizer`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from convoy.config._base import Section
from convoy.config._numbers import BelowOne, NonNegative, Positive

Betas = Annotated[list[BelowOne], Field(min_length=2, max_length=2)]


class _Optimizer(Section):
    name: str
    lr: Positive
    weight_decay: NonNegative = 0.0
    decay_norms_and_biases: bool = Field(
        default=False, description="whether weight decay shrinks the scales of normalisation and biases, too"
    )


class SgdConfig(_Optimizer):
    name: Literal["sgd"]
    momentum: BelowOne = 0.9
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov: true needs momentum above 0")
        return self


class AdamConfig(_Optimizer):
    """Adam (Kingma & Ba 2015), or AdamW (decoupled weight decay, Loshchilov & Hutter 2019)."""

    name: Literal["adam", "adamw"]
    betas: Betas = Field(default=[0.9, 0.999], description="of the averages of gradients and their squares")
    eps: Positive = 1e-8


class AdagradConfig(_Optimizer):
    """Duchi et al. 2011."""

    name: Literal["adagrad"]
    lr_decay: NonNegative = 0.0
    eps: Positive = 1e-10


class RmspropConfig(_Optimizer):
    """Hinton's lecture 6e; centered: Graves 2013."""

    name: Literal["rmsprop"]
    alpha: BelowOne = Field(default=0.99, description="of the average of squared gradients")
    momentum: BelowOne = 0.0
    centered: bool = False
    eps: Positive = 1e-8


class LionConfig(_Optimizer):
    """The sign of an interpolated momentum (Chen et al. 2023); wants a third to a tenth of AdamW's lr."""

    name: Literal["lion"]
    betas: Betas = Field(default=[0.9, 0.99], description="of the update's and of the kept average")


class MuonConfig(_Optimizer):
    """Orthogonalised momentum for the hidden weights (Jordan 2024), AdamW for the head and all vectors.

    Updates are scaled as those of AdamW are (Liu et al. 2025), so one lr suits both.
    """

    name: Literal["muon"]
    momentum: BelowOne = 0.95
    nesterov: bool = True
    betas: Betas = Field(default=[0.9, 0.999], description="AdamW's")


OptimizerConfig = Annotated[
    SgdConfig | AdamConfig | AdagradConfig | RmspropConfig | LionConfig | MuonConfig,
    Field(discriminator="name"),
]
