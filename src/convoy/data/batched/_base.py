"""What a batch form is: drawn once for a whole batch, then applied to pixels, points and masks.

Drawing needs the shape of the batch alone, so the same numbers serve images on the CPU and on a GPU.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]  # (B, H, W, C)
Masks = NDArray[np.uint8]  # (B, H, W, channels)
Points = NDArray[np.floating[Any]]  # (B, K, 2): x, y in pixels, the first pixel's centre at 0
Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Random = np.random.Generator
Shape = tuple[int, ...]  # (B, H, W, C) of the images


@dataclass(frozen=True)
class Drawn:
    """What chance decided for a batch."""

    chosen: Indices  # (n,) the samples that are changed


D = TypeVar("D", bound=Drawn)


class Form(ABC, Generic[D]):
    """One transform for whole batches.

    Pixels and masks are changed in place where their size stays, since a batch of pictures that is allocated
    anew for each step costs as much as the step: give it copies of what shall stay. Use what is returned.

    Args:
        transform: an albumentations transform, whose arguments were checked when it was built.
    """

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    @abstractmethod
    def draw(self, shape: Shape, random: Random) -> D:
        """Draw for a batch of images of `shape`.

        Raises:
            ConfigError: the transform does not fit images of that size.
        """

    @abstractmethod
    def pixels(self, images: Images, drawn: D) -> Images:
        """The images (B, H, W, C) changed as drawn."""

    def points(self, points: Points, shape: Shape, drawn: D) -> Points:
        """The points (B, K, 2) of images of `shape`, moved as the pixels are."""
        del shape, drawn  # colours move nothing
        return points

    def masks(self, masks: Masks, drawn: D) -> Masks:
        """The masks (B, H, W, channels) changed as the pixels are."""
        del drawn
        return masks

    def after(self, shape: Shape, drawn: D) -> Shape:
        """The shape of images of `shape` once they are changed."""
        del drawn
        return shape

    def mirrored(self, drawn: D) -> Indices:
        """The samples whose left and right are exchanged."""
        return drawn.chosen[:0]

    def __call__(self, images: Images, random: Random) -> Images:
        """What becomes of the images, which are left as they are."""
        return self.pixels(images.copy(), self.draw(images.shape, random))


def choose(transform: Any, shape: Shape, random: Random) -> Indices:
    """Indices of the images that the transform's probability picks, (n,)."""
    return np.flatnonzero(random.random(shape[0]) < transform.p)


def uniform(random: Random, limits: tuple[float, float], count: int) -> Floats:
    low, high = limits
    return random.uniform(low, high, count)


def per_channel(fill: Any, channels: int) -> tuple[float, ...]:
    """A fill value for each channel, of one number or of a sequence."""
    return tuple(fill) if isinstance(fill, tuple | list) else (fill,) * channels


def moved(points: Points, chosen: Indices, matrices: Floats) -> Points:
    """Points (B, K, 2), those of the samples `chosen` under matrices (n, 2 or 3, 3)."""
    result = points.copy()
    corner = matrices[:, :2, :2].astype(points.dtype)
    shift = matrices[:, None, :2, 2].astype(points.dtype)
    result[chosen] = points[chosen] @ corner.transpose(0, 2, 1) + shift
    return result
