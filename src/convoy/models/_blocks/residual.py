"""Residual units: K. He et al., Deep Residual Learning (CVPR 2016) and Identity Mappings (ECCV 2016)."""

from torch import Tensor, nn

from convoy.config.blocks import ResidualBlock
from convoy.models._blocks.activations import activation
from convoy.models._blocks.convolution import Convolution
from convoy.models._blocks.dropout import dropout
from convoy.models._blocks.norms import norm
from convoy.models._blocks.shape import Place, Shape, pair
from convoy.models._blocks.squeeze_excite import SqueezeExcite


class Residual(nn.Module):
    """last(branch(x) + shortcut(x)); the shortcut is the identity where the shapes agree."""

    def __init__(self, shortcut: list[nn.Module], branch: list[nn.Module], last: list[nn.Module]) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(*shortcut) if shortcut else nn.Identity()
        self.branch = nn.Sequential(*branch)
        self.last = nn.Sequential(*last) if last else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        joined: Tensor = self.last(self.branch(maps) + self.shortcut(maps))
        return joined


def residual_block(block: ResidualBlock, shape: Shape, place: Place) -> tuple[list[nn.Module], Shape]:
    """`repeat` units, the first with the stride, and the shape that they leave.

    Raises:
        ConfigError: the block does not fit the shape.
    """
    units: list[nn.Module] = []
    for number in range(block.repeat):
        unit, shape = _unit(block, shape, pair(block.stride) if number == 0 else (1, 1), place)
        units.append(unit)
    return units, shape


def _unit(
    block: ResidualBlock, before: Shape, stride: tuple[int, int], place: Place
) -> tuple[nn.Module, Shape]:
    bias = block.norm == "none"
    branch: list[nn.Module] = []
    shape = before
    for number in range(block.convolutions):
        if block.pre_activation:
            branch += [*norm(block.norm, shape, block.norm_groups, place), *activation(block.activation)]
        convolution = Convolution(
            block.channels, pair(block.kernel), stride if number == 0 else (1, 1), bias=bias
        )
        made, shape = convolution.layers(shape, place)
        branch += made
        if not block.pre_activation:
            branch += norm(block.norm, shape, block.norm_groups, place)
            if number < block.convolutions - 1:
                branch += activation(block.activation)
    if block.squeeze_excite:
        branch.append(SqueezeExcite(shape.channels, block.squeeze_excite))
    branch += dropout(block.dropout, spatial=block.spatial_dropout)
    shortcut: list[nn.Module] = []
    if shape != before:
        shortcut, _ = Convolution(block.channels, (1, 1), stride, bias=bias).layers(before, place)
        if not block.pre_activation:
            shortcut += norm(block.norm, shape, block.norm_groups, place)
    last = [] if block.pre_activation else activation(block.activation)
    return Residual(shortcut, branch, last), shape
