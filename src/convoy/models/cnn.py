"""A convolutional network written down as a list of blocks in params.yaml."""

from torch import nn

from convoy.config.blocks import (
    Block,
    ConvBlock,
    DropoutBlock,
    NormActivationBlock,
    PoolBlock,
    ResidualBlock,
)
from convoy.config.model import CnnConfig
from convoy.models._blocks.activations import activation
from convoy.models._blocks.convolution import conv_block
from convoy.models._blocks.dropout import dropout
from convoy.models._blocks.head import head
from convoy.models._blocks.initialise import initialise
from convoy.models._blocks.norms import norm
from convoy.models._blocks.pooling import pooling
from convoy.models._blocks.residual import residual_block
from convoy.models._blocks.shape import Place, Shape
from convoy.models._blocks.squeeze_excite import SqueezeExcite
from convoy.models._spec import NetworkSpec


def build(config: CnnConfig, spec: NetworkSpec) -> nn.Module:
    """(N, C, H, W) -> (N, outputs): the blocks, then the head.

    Raises:
        ConfigError: a block does not fit the shape that those before it leave; both are named.
    """
    layers: list[nn.Module] = []
    shape = Shape(spec.channels, spec.height, spec.width)
    for number, block in enumerate(config.blocks):
        made, shape = _block(block, shape, Place(f"block {number}", f"model.blocks[{number}]"))
        layers += made
    network = nn.Sequential(*layers, *head(config.head, shape, config.dropout, spec.outputs))
    initialise(network, config.init)
    return network


def _block(block: Block, shape: Shape, place: Place) -> tuple[list[nn.Module], Shape]:
    if isinstance(block, ConvBlock):
        return conv_block(block, shape, place)
    if isinstance(block, ResidualBlock):
        return residual_block(block, shape, place)
    if isinstance(block, PoolBlock):
        pool, after = pooling(block.kind, block.size, block.stride, shape, place, "size")
        return [pool], after
    if isinstance(block, DropoutBlock):
        return dropout(block.rate, spatial=block.spatial), shape
    if isinstance(block, NormActivationBlock):
        made = [*norm(block.norm, shape, block.norm_groups, place), *activation(block.activation)]
        return made, shape
    return [SqueezeExcite(shape.channels, block.ratio)], shape
