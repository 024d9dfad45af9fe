"""Pad, for a RandomCrop after it: the usual augmentation of small pictures."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from convoy.data.batched._base import Drawn, Form, Images, Indices, Masks, Points, Random, Shape, per_channel

Sides = tuple[int, int, int, int]  # left, top, right, bottom in pixels


@dataclass(frozen=True)
class Padded(Drawn):
    sides: Sides


class PadForm(Form[Padded]):
    """A border round every picture."""

    def draw(self, shape: Shape, random: Random) -> Padded:  # noqa: ARG002  # nothing is left to chance
        return Padded(np.arange(shape[0]), _sides(self.transform.padding))

    def pixels(self, images: Images, drawn: Padded) -> Images:
        return self._padded(images, drawn, self.transform.fill)

    def masks(self, masks: Masks, drawn: Padded) -> Masks:
        return self._padded(masks, drawn, self.transform.fill_mask)

    def after(self, shape: Shape, drawn: Padded) -> Shape:
        left, top, right, bottom = drawn.sides
        return shape[0], shape[1] + top + bottom, shape[2] + left + right, shape[3]

    def _padded(self, images: Images, drawn: Padded, fill: Any) -> Images:
        rows, columns = sources(images.shape, drawn.sides, self.transform.border_mode)
        result: Images = images[:, np.maximum(rows, 0)[:, None], np.maximum(columns, 0)]
        if self.transform.border_mode == cv2.BORDER_CONSTANT:
            outside = (rows < 0)[:, None] | (columns < 0)
            result[:, outside] = np.array(per_channel(fill, images.shape[3])).astype(np.uint8)
        return result

    def points(self, points: Points, shape: Shape, drawn: Padded) -> Points:  # noqa: ARG002
        return points + np.array(drawn.sides[:2], dtype=points.dtype)


def sources(shape: Shape, sides: Sides, border_mode: int) -> tuple[Indices, Indices]:
    """From which row and column each row and column of the padded picture comes; -1: from none."""
    left, top, right, bottom = sides
    return (
        border(np.arange(-top, shape[1] + bottom), shape[1], border_mode),
        border(np.arange(-left, shape[2] + right), shape[2], border_mode),
    )


def border(positions: Indices, length: int, border_mode: int) -> Indices:
    """Where OpenCV's border mode finds the pixel of each position; -1: nowhere."""
    return np.array([cv2.borderInterpolate(int(at), length, border_mode) for at in positions], np.int64)


def _sides(padding: int | tuple[int, ...]) -> Sides:
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if len(padding) == 2:  # (left and right, top and bottom)
        return padding[0], padding[1], padding[0], padding[1]
    left, top, right, bottom = padding
    return left, top, right, bottom


def of_pad(transform: Any) -> PadForm | None:
    return PadForm(transform) if transform.p >= 1 else None
