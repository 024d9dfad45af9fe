"""Max and average pooling."""

from typing import Literal

from torch import nn

from convoy.models._blocks.shape import Place, Shape, Window, pair

_POOLS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


def pooling(
    kind: Literal["max", "avg"],
    size: int | list[int],
    stride: int | list[int] | None,
    shape: Shape,
    place: Place,
    key: str,
) -> tuple[nn.Module, Shape]:
    """The pooling, and the shape that it leaves.

    Raises:
        ConfigError: the maps are smaller than the pooled window.
    """
    window = Window(pair(size), pair(stride or size))
    after = window.over(shape, place, "pools", key)
    return _POOLS[kind](window.size, window.stride), after
