"""CoarseDropout and Erasing (random erasing, arXiv 1708.04896): rectangles filled with a fixed value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from convoy.data.batched._base import (
    Drawn,
    Form,
    Images,
    Indices,
    Masks,
    Random,
    Shape,
    choose,
    per_channel,
)

Size = tuple[int, int]  # (height, width) in pixels
Holes = Callable[[Any, Size, int, Random], tuple[Indices, Indices]]


@dataclass(frozen=True)
class Holed(Drawn):
    owners: Indices  # (m,) the sample that a hole belongs to
    holes: Indices  # (m, 4) x_min, y_min, x_max, y_max, the ends outside


class HoleForm(Form[Holed]):
    """Any transform that fills rectangles."""

    def __init__(self, transform: Any, holes: Holes) -> None:
        super().__init__(transform)
        self._holes = holes

    def draw(self, shape: Shape, random: Random) -> Holed:
        chosen = choose(self.transform, shape, random)
        which, holes = self._holes(self.transform, (shape[1], shape[2]), len(chosen), random)
        return Holed(chosen, chosen[which], holes)

    def pixels(self, images: Images, drawn: Holed) -> Images:
        return _filled(images, drawn, self.transform.fill)

    def masks(self, masks: Masks, drawn: Holed) -> Masks:
        fill = self.transform.fill_mask
        return masks if fill is None else _filled(masks, drawn, fill)


def _filled(images: Images, drawn: Holed, fill: Any) -> Images:
    value = np.array(per_channel(fill, images.shape[3])).astype(np.uint8)
    for owner, (left, top, right, bottom) in zip(drawn.owners, drawn.holes.tolist(), strict=True):
        images[owner, top:bottom, left:right] = value
    return images


def coarse_holes(transform: Any, size: Size, count: int, random: Random) -> tuple[Indices, Indices]:
    """Holes of `count` draws of a `CoarseDropout`: (m,) which draw each belongs to, (m, 4) where it lies."""
    low, high = transform.num_holes_range
    numbers = random.integers(low, high + 1, count)
    total = int(numbers.sum())
    in_pixels = transform.hole_height_range[1] >= 1  # decides for both sides, as in albumentations
    ranges = (transform.hole_height_range, transform.hole_width_range)
    sides = [
        _side(length, limits, in_pixels, total, random) for length, limits in zip(size, ranges, strict=True)
    ]
    top, left = (random.integers(0, length - side + 1) for length, side in zip(size, sides, strict=True))
    holes = np.stack([left, top, left + sides[1], top + sides[0]], axis=1)
    return np.repeat(np.arange(count), numbers), holes


def _side(length: int, limits: tuple[float, float], in_pixels: bool, count: int, random: Random) -> Indices:
    if in_pixels:
        return random.integers(int(limits[0]), int(min(limits[1], length) + 1), count)
    return (length * random.uniform(*limits, count)).astype(np.int64)


def erased_holes(transform: Any, size: Size, count: int, random: Random) -> tuple[Indices, Indices]:
    """Holes of `count` draws of an `Erasing`, at most one each: (m,) which draw, (m, 4) where it lies."""
    height, width = size
    smallest, largest = (share * height * width for share in transform.scale)
    for ratio in transform.ratio:
        largest = min(largest, ratio * height * height, width * width / ratio)
    if largest < smallest:
        return np.empty(0, np.int64), np.empty((0, 4), np.int64)
    area = random.uniform(smallest, largest, count)
    low = np.maximum(transform.ratio[0], area / (height * height))
    high = np.minimum(transform.ratio[1], width * width / area)
    possible = np.flatnonzero(low <= high)
    ratio = random.uniform(low[possible], high[possible])
    tall = np.rint(np.sqrt(area[possible] / ratio)).astype(np.int64)
    wide = np.rint(np.sqrt(area[possible] * ratio)).astype(np.int64)
    top, left = random.integers(0, height - tall + 1), random.integers(0, width - wide + 1)
    return possible, np.stack([left, top, left + wide, top + tall], axis=1)


def of_coarse_dropout(transform: Any) -> HoleForm | None:
    return None if isinstance(transform.fill, str) else HoleForm(transform, coarse_holes)


def of_erasing(transform: Any) -> HoleForm | None:
    return None if isinstance(transform.fill, str) else HoleForm(transform, erased_holes)
