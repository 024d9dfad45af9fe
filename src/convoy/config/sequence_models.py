"""Models of sequences in section `model`; `cnn1d`, `rnn`, `lstm` and `gru` are in `text_models`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from convoy.config._base import Section
from convoy.config.blocks import Probability

Width = Annotated[int, Field(ge=1, le=4096)]
Kernel = Annotated[int, Field(ge=1, le=255)]


class FcnConfig(Section):
    """Fully convolutional network (Wang et al. 2017): convolutions with batch norm, the mean over time."""

    name: Literal["fcn"]
    channels: list[Width] = Field(default_factory=lambda: [128, 256, 128], min_length=1)
    kernels: list[Kernel] = Field(default_factory=lambda: [8, 5, 3], min_length=1)
    dropout: Probability = 0.0

    @model_validator(mode="after")
    def _a_kernel_each(self) -> Self:
        if len(self.channels) != len(self.kernels):
            raise ValueError(f"channels has {len(self.channels)} layers and kernels {len(self.kernels)}")
        return self


class ResNet1dConfig(Section):
    """Residual network for sequences (Wang et al. 2017): units of three convolutions, the mean over time."""

    name: Literal["resnet1d"]
    channels: list[Width] = Field(
        default_factory=lambda: [64, 128, 128], min_length=1, description="of each residual unit"
    )
    kernels: list[Kernel] = Field(
        default_factory=lambda: [8, 5, 3], min_length=1, description="of the convolutions of a unit"
    )
    dropout: Probability = 0.0


class InceptionTimeConfig(Section):
    """One network of InceptionTime (Fawaz et al. 2020); the paper averages five, with other seeds."""

    name: Literal["inceptiontime"]
    depth: int = Field(default=6, ge=1, le=24, description="inception modules")
    filters: Width = Field(default=32, description="of each branch of a module, of which there are four")
    kernel: Annotated[int, Field(ge=4, le=255)] = Field(
        default=40, description="the longest; the others are half and a quarter of it"
    )
    bottleneck: int = Field(default=32, ge=0, le=1024, description="channels before the branches; 0: none")
    residual: bool = Field(default=True, description="a shortcut over every three modules")
    dropout: Probability = 0.0


SequenceModelConfig = FcnConfig | ResNet1dConfig | InceptionTimeConfig
