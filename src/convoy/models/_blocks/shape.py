"""The shape of feature maps, what a sliding window makes of it, and the refusal of what does not fit."""

from dataclasses import dataclass, replace
from typing import Self

from convoy.errors import ConfigError

Pair = tuple[int, int]


@dataclass(frozen=True)
class Shape:
    """Of one sample's feature maps."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.channels}×{self.height}×{self.width}"

    def with_channels(self, channels: int) -> Self:
        return replace(self, channels=channels)


@dataclass(frozen=True)
class Place:
    """Where a layer was asked for: how errors call it, and its key in params.yaml."""

    name: str
    key: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Window:
    """What slides over the maps: a kernel or a pooling; `padding`: left, right, top, bottom."""

    size: Pair
    stride: Pair
    dilation: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def span(self) -> Pair:
        """Height and width that it covers."""
        (height, width), (down, across) = self.size, self.dilation
        return down * (height - 1) + 1, across * (width - 1) + 1

    def over(self, shape: Shape, place: Place, does: str, key: str) -> Shape:
        """The maps that it leaves.

        Args:
            does: what the layer does with them, for the error.
            key: the window's, in the place's section.

        Raises:
            ConfigError: the maps are smaller than the window.
        """
        left, right, top, bottom = self.padding
        free = (shape.height + top + bottom - self.span[0], shape.width + left + right - self.span[1])
        if min(free) < 0:
            height, width = self.span
            least = (max(1, height - top - bottom), max(1, width - left - right))
            raise misfit(
                f"{place} {does} an image of {shape.height}×{shape.width}",
                f"it gets {shape} (channels×height×width) and needs at least "
                f"{shape.channels}×{least[0]}×{least[1]} for its window of {height}×{width}",
                f"{place.key}.{key}",
                "use fewer or smaller poolings and strides before it, a smaller window, or larger images "
                "(prepare.height, prepare.width)",
            )
        return replace(shape, height=free[0] // self.stride[0] + 1, width=free[1] // self.stride[1] + 1)


def pair(sides: int | list[int]) -> Pair:
    return (sides, sides) if isinstance(sides, int) else (sides[0], sides[1])


def misfit(what: str, why: str, key: str, fix: str) -> ConfigError:
    return ConfigError(f"{what}: {why}", where=f"params.yaml: {key}", fix=fix)
