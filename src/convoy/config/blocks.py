"""The blocks that the network `cnn` is written down in, its head, and how its weights begin."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from convoy.config._base import Section

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]
Share = Annotated[float, Field(gt=0.0, le=1.0)]
Channels = Annotated[int, Field(ge=1, le=4096)]

Activation = Literal[
    "none", "relu", "leaky_relu", "sigmoid", "tanh", "silu", "swish", "mish", "elu", "gelu", "softmax"
]
Norm = Literal["none", "batch", "layer", "instance", "group"]


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= 1024


def _sides(least: int, *words: str) -> Callable[[object], object]:
    def check(value: object) -> object:
        pair = isinstance(value, list) and len(value) == 2 and all(_whole(side, least) for side in value)
        if pair or _whole(value, least) or (isinstance(value, str) and value in words):
            return value
        either = "".join(f"{word}, " for word in words)
        raise ValueError(f"must be {either}a whole number of at least {least}, or two: [height, width]")

    return check


Sides = Annotated[int | list[int], BeforeValidator(_sides(1))]
Padding = Annotated[int | list[int] | Literal["same", "valid"], BeforeValidator(_sides(0, "same", "valid"))]


class _Normed(Section):
    """What follows a convolution. `layer` normalises over channels, height and width (Ba et al., 2016)."""

    norm: Norm = "batch"
    norm_groups: int = Field(default=8, ge=1, description="`group`: into how many the channels are divided")
    activation: Activation = "relu"


class _Channelled(_Normed):
    channels: Channels

    @model_validator(mode="after")
    def _channels_fall_into_groups(self) -> Self:
        if self.norm == "group" and self.channels % self.norm_groups:
            raise ValueError(
                f"norm: group needs channels ({self.channels}) that norm_groups ({self.norm_groups}) divides"
            )
        return self


class ConvBlock(_Channelled):
    """`repeat` convolutions, each with normalisation and activation, then a pooling.

    `depthwise`: each channel has kernels of its own (channels must be a multiple of those that come in);
    `separable`: depthwise, then 1×1 (Howard et al., MobileNets, 2017, without the norm between). The first of
    the repeats has the stride.
    """

    type: Literal["conv"] = "conv"
    kernel: Sides = 3
    kind: Literal["standard", "depthwise", "separable"] = "standard"
    stride: Sides = 1
    padding: Padding = "same"
    dilation: Sides = 1
    groups: int = Field(default=1, ge=1)
    repeat: int = Field(default=1, ge=1, le=10)
    squeeze_excite: Share | None = Field(default=None, description="its hidden share of the channels")
    pool: Literal["none", "max", "avg"] = "max"
    pool_size: Sides = 2
    pool_stride: Sides | None = Field(default=None, description="null: as pool_size")
    dropout: Probability = 0.0
    spatial_dropout: bool = Field(default=True, description="drop whole channels, not single values")

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        if self.kind != "standard" and self.groups != 1:
            raise ValueError(f"kind: {self.kind} makes its own groups; remove groups: {self.groups}")
        if self.pool == "none" and (self.pool_size != 2 or self.pool_stride is not None):
            raise ValueError("pool_size and pool_stride need pool: max or avg")
        return self


class ResidualBlock(_Channelled):
    """`repeat` residual units (He et al., 2016), with a 1×1 projection where the shapes differ.

    `pre_activation`: norm and activation come before each convolution (He et al., Identity Mappings, 2016).
    """

    type: Literal["residual"]
    kernel: Sides = 3
    stride: Sides = 1
    convolutions: int = Field(default=2, ge=1, le=4, description="in the branch of each unit")
    repeat: int = Field(default=1, ge=1, le=50)
    pre_activation: bool = False
    squeeze_excite: Share | None = Field(default=None, description="its hidden share of the channels")
    dropout: Probability = 0.0
    spatial_dropout: bool = Field(default=True, description="drop whole channels, not single values")


class PoolBlock(Section):
    """Max or average pooling."""

    type: Literal["pool"]
    kind: Literal["max", "avg"] = "max"
    size: Sides = 2
    stride: Sides | None = Field(default=None, description="null: as size")


class SqueezeExciteBlock(Section):
    """Weights each channel by what all of them see (Hu et al., 2018); `ratio`: hidden share of channels."""

    type: Literal["squeeze_excite"]
    ratio: Share = 0.25


class DropoutBlock(Section):
    """Dropout of whole channels (Tompson et al., 2015) or of single values."""

    type: Literal["dropout"]
    rate: Probability
    spatial: bool = True


class NormActivationBlock(_Normed):
    """A normalisation and an activation alone, as after residual units with pre-activation."""

    type: Literal["norm_activation"]


def _type(block: Any) -> str:
    """A block without a type is a convolution."""
    return str(block.get("type", "conv")) if isinstance(block, Mapping) else getattr(block, "type", "conv")


Block = Annotated[
    Annotated[ConvBlock, Tag("conv")]
    | Annotated[ResidualBlock, Tag("residual")]
    | Annotated[PoolBlock, Tag("pool")]
    | Annotated[SqueezeExciteBlock, Tag("squeeze_excite")]
    | Annotated[DropoutBlock, Tag("dropout")]
    | Annotated[NormActivationBlock, Tag("norm_activation")],
    Discriminator(_type),
]


class HeadConfig(Section):
    """From the last feature maps to the outputs: pooled over whole maps or flattened, then dense layers."""

    pool: Literal["avg", "max", "none"] = Field(default="avg", description="`none`: flatten")
    hidden: list[Channels] = Field(default_factory=list, description="widths of dense layers in between")
    activation: Activation = "relu"


class InitConfig(Section):
    """How convolutions and dense layers begin; `default` is torch's own rule.

    Xavier: Glorot and Bengio, 2010; Kaiming: He et al., 2015; orthogonal: Saxe et al., 2014.
    """

    weights: Literal[
        "default", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal",
        "trunc_normal",
    ] = "default"  # fmt: skip
    gain: Annotated[float, Field(gt=0.0)] | None = Field(default=None, description="Xavier, orthogonal; 1")
    mode: Literal["fan_in", "fan_out"] = Field(default="fan_in", description="Kaiming")
    std: Annotated[float, Field(gt=0.0)] | None = Field(default=None, description="trunc_normal; 0.02")
    bias: float | None = Field(default=None, description="a constant; null: torch's own rule")

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        if self.gain is not None and not self.weights.startswith(("xavier", "orthogonal")):
            raise ValueError(f"gain is for Xavier and orthogonal weights, not for weights: {self.weights}")
        if self.std is not None and self.weights != "trunc_normal":
            raise ValueError(f"std is for weights: trunc_normal, not for {self.weights}")
        if self.mode != "fan_in" and not self.weights.startswith("kaiming"):
            raise ValueError(f"mode is for Kaiming weights, not for weights: {self.weights}")
        return self
