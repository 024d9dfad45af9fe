"""Convolutions: with groups, depthwise, separable; padded as wanted; and the block made of them."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from convoy.config.blocks import ConvBlock
from convoy.models._blocks.activations import activation
from convoy.models._blocks.dropout import dropout
from convoy.models._blocks.norms import norm
from convoy.models._blocks.pooling import pooling
from convoy.models._blocks.shape import Pair, Place, Shape, Window, misfit, pair
from convoy.models._blocks.squeeze_excite import SqueezeExcite


@dataclass(frozen=True)
class Convolution:
    """One convolution of a block.

    `same` padding keeps height and width at stride 1, and gives ceil(side / stride) at others.
    """

    channels: int
    kernel: Pair = (3, 3)
    stride: Pair = (1, 1)
    padding: Pair | Literal["same", "valid"] = "same"
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = True

    def layers(self, shape: Shape, place: Place) -> tuple[list[nn.Module], Shape]:
        """Modules, and the shape that they leave.

        Raises:
            ConfigError: the groups do not divide the channels, or the kernel is larger than the maps.
        """
        if shape.channels % self.groups or self.channels % self.groups:
            raise misfit(
                f"{place} convolves in {self.groups} groups",
                f"it gets {shape} (channels×height×width), gives {self.channels} channels, "
                f"and needs both to be multiples of {self.groups}",
                f"{place.key}.groups",
                "choose groups (or, for depthwise, channels) so that they divide",
            )
        window = Window(self.kernel, self.stride, self.dilation, self._padding())
        after = window.over(shape, place, "convolves", "kernel").with_channels(self.channels)
        left, right, top, bottom = window.padding
        uneven = left != right or top != bottom
        pad: list[nn.Module] = [nn.ZeroPad2d(window.padding)] if uneven else []
        convolution = nn.Conv2d(
            shape.channels,
            self.channels,
            self.kernel,
            stride=self.stride,
            padding=0 if uneven else (top, left),
            dilation=self.dilation,
            groups=self.groups,
            bias=self.bias,
        )
        return [*pad, convolution], after

    def _padding(self) -> tuple[int, int, int, int]:
        if self.padding == "valid":
            return 0, 0, 0, 0
        if self.padding == "same":
            down, across = (d * (k - 1) for d, k in zip(self.dilation, self.kernel, strict=True))
            return across // 2, across - across // 2, down // 2, down - down // 2
        down, across = self.padding
        return across, across, down, down


def conv_block(block: ConvBlock, shape: Shape, place: Place) -> tuple[list[nn.Module], Shape]:
    """The modules of a block, in a row, and the shape that they leave.

    Raises:
        ConfigError: the block does not fit the shape.
    """
    layers: list[nn.Module] = []
    for number in range(block.repeat):
        for convolution in _convolutions(block, shape, pair(block.stride) if number == 0 else (1, 1)):
            made, shape = convolution.layers(shape, place)
            layers += made
        layers += norm(block.norm, shape, block.norm_groups, place)
        layers += activation(block.activation)
    if block.squeeze_excite:
        layers.append(SqueezeExcite(shape.channels, block.squeeze_excite))
    if block.pool != "none":
        pool, shape = pooling(block.pool, block.pool_size, block.pool_stride, shape, place, "pool")
        layers.append(pool)
    return [*layers, *dropout(block.dropout, spatial=block.spatial_dropout)], shape


def _convolutions(block: ConvBlock, shape: Shape, stride: Pair) -> list[Convolution]:
    bias = block.norm == "none"
    depthwise = block.kind == "depthwise"
    sliding = Convolution(
        channels=shape.channels if block.kind == "separable" else block.channels,
        kernel=pair(block.kernel),
        stride=stride,
        padding=block.padding if isinstance(block.padding, str) else pair(block.padding),
        dilation=pair(block.dilation),
        groups=block.groups if block.kind == "standard" else shape.channels,
        bias=bias and block.kind != "separable",
    )
    if block.kind == "standard" or depthwise:
        return [sliding]
    return [sliding, Convolution(block.channels, kernel=(1, 1), bias=bias)]
