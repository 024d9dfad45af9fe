"""A convolutional network written down as a list of blocks in params.yaml."""

from torch import nn

from convoy.config.model import CnnConfig, ConvBlock
from convoy.errors import ConfigError
from convoy.models._spec import NetworkSpec

_ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}
_POOLS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


def build(config: CnnConfig, spec: NetworkSpec) -> nn.Module:
    """(N, C, H, W) -> (N, outputs): the blocks, global average pooling, dropout, one dense layer.

    Raises:
        ConfigError: a block pools what is only one pixel high or wide; it is named by its index.
    """
    layers: list[nn.Module] = []
    channels, height, width = spec.channels, spec.height, spec.width
    for number, block in enumerate(config.blocks):
        layers += _block(block, channels)
        channels = block.channels
        if block.pool != "none":
            if min(height, width) < 2:
                raise ConfigError(
                    f"block {number} pools an image of {height}×{width}",
                    where=f"params.yaml: model.blocks[{number}].pool",
                    fix=f"use fewer pooling blocks for images of {spec.height}×{spec.width}, or pool: none",
                )
            height, width = height // 2, width // 2
    return nn.Sequential(
        *layers,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(config.dropout),
        nn.Linear(channels, spec.outputs),
    )


def _block(block: ConvBlock, channels: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for _ in range(block.repeat):
        layers.append(
            nn.Conv2d(channels, block.channels, block.kernel, padding="same", bias=block.norm == "none")
        )
        if block.norm == "batch":
            layers.append(nn.BatchNorm2d(block.channels))
        layers.append(_ACTIVATIONS[block.activation]())
        channels = block.channels
    if block.pool != "none":
        layers.append(_POOLS[block.pool](2))
    if block.dropout:
        layers.append(nn.Dropout2d(block.dropout))
    return layers
