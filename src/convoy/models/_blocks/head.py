"""From feature maps to the outputs."""

from torch import nn

from convoy.config.blocks import HeadConfig
from convoy.models._blocks.activations import activation
from convoy.models._blocks.shape import Shape

_POOLS = {"avg": nn.AdaptiveAvgPool2d, "max": nn.AdaptiveMaxPool2d}


def head(config: HeadConfig, shape: Shape, dropout: float, outputs: int) -> list[nn.Module]:
    """Maps of `shape` -> (N, outputs): pooled over the whole map or flattened, then dense layers."""
    layers: list[nn.Module] = []
    width = shape.channels * shape.height * shape.width
    if config.pool != "none":
        layers.append(_POOLS[config.pool](1))
        width = shape.channels
    layers.append(nn.Flatten())
    for hidden in config.hidden:
        layers += [nn.Dropout(dropout), nn.Linear(width, hidden), *activation(config.activation)]
        width = hidden
    return [*layers, nn.Dropout(dropout), nn.Linear(width, outputs)]
