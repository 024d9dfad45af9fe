"""What a network is told about its data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkSpec:
    """Shape of one sample (channels, height, width) and the number of outputs.

    `pretrained`: whether weights that the configuration names are loaded; not where trained ones follow.
    """

    channels: int
    height: int
    width: int
    outputs: int
    pretrained: bool = True
