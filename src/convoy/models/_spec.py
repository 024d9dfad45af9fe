"""What a network is told about its data."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkSpec:
    """Shape of one sample (channels, height, width) and the number of outputs.

    `pretrained`: whether weights that the configuration names are loaded; not where trained ones follow.
    `reconstructs`: whether the sample itself is learned; then an autoencoder gives its code and its pixels.
    """

    channels: int
    height: int
    width: int
    outputs: int
    pretrained: bool = True
    reconstructs: bool = False


@dataclass(frozen=True)
class SequenceSpec:
    """Channels of a sequence of any length, and the number of outputs.

    `pretrained`: as of the others; no model of sequences has any.
    `length`: of a usual sequence of the training split.
    """

    channels: int
    outputs: int
    pretrained: bool = True
    length: int = 0


@dataclass(frozen=True)
class TextSpec:
    """The tokens by id (0 is padding) and the number of outputs.

    `pretrained`: whether word vectors that the configuration names are loaded; not where trained ones follow.
    """

    vocabulary: Sequence[str]
    outputs: int
    pretrained: bool = True


@dataclass(frozen=True)
class TableSpec:
    """The features of a row: so many numbers, then a code for each of the columns to embed; and the outputs.

    `columns`: name and number of codes of each.
    """

    numbers: int
    columns: Sequence[tuple[str, int]]
    outputs: int
