"""Section `model`: one class for each file of convoy/models."""

from typing import Annotated, Literal

from pydantic import Field

from convoy.config._base import Section

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


class LeNet5Config(Section):
    """LeNet-5 (LeCun et al., 1998)."""

    name: Literal["lenet5"]


class MnistCnnConfig(Section):
    """conv 5×5×32, pool, conv 5×5×64, pool, dense 1024, dropout."""

    name: Literal["mnist_cnn"]
    dropout: Probability = 0.5


class ConvBlock(Section):
    """`repeat` convolutions, each with optional batch normalisation and an activation, then a pooling."""

    channels: int = Field(ge=1, le=4096)
    kernel: Literal[1, 3, 5, 7, 9, 11] = 3
    repeat: int = Field(default=1, ge=1, le=10)
    norm: Literal["none", "batch"] = "batch"
    activation: Literal["relu", "gelu", "silu", "tanh"] = "relu"
    pool: Literal["none", "max", "avg"] = "max"
    dropout: Probability = 0.0


class CnnConfig(Section):
    """A stack of convolution blocks, global average pooling, dropout and a linear head."""

    name: Literal["cnn"]
    blocks: list[ConvBlock] = Field(min_length=1)
    dropout: Probability = 0.0


ModelConfig = Annotated[LeNet5Config | MnistCnnConfig | CnnConfig, Field(discriminator="name")]
