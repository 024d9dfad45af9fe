"""Affine, ShiftScaleRotate, Rotate and SafeRotate: one warp by a matrix a sample."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from convoy.data.batched._base import (
    Drawn,
    Floats,
    Form,
    Images,
    Indices,
    Masks,
    Points,
    Random,
    Shape,
    choose,
    moved,
    per_channel,
    uniform,
)

Size = tuple[int, int]  # (height, width) in pixels
Matrices = Callable[[Any, Size, int, Random], Floats]

_OPENCV_CHANNELS = 4  # that warpAffine takes at once


@dataclass(frozen=True)
class Warped(Drawn):
    matrices: Floats  # (n, 3, 3) from source to target pixel coordinates (x, y, 1)


class AffineForm(Form[Warped]):
    """Any transform that is one affine warp into a frame of the same size."""

    def __init__(self, transform: Any, matrices: Matrices) -> None:
        super().__init__(transform)
        self._matrices = matrices

    def draw(self, shape: Shape, random: Random) -> Warped:
        chosen = choose(self.transform, shape, random)
        return Warped(chosen, self._matrices(self.transform, (shape[1], shape[2]), len(chosen), random))

    def pixels(self, images: Images, drawn: Warped) -> Images:
        how = self.transform
        return warp(images, drawn, how.interpolation, how.border_mode, how.fill)

    def masks(self, masks: Masks, drawn: Warped) -> Masks:
        how = self.transform
        return warp(masks, drawn, how.mask_interpolation, how.border_mode, how.fill_mask)

    def points(self, points: Points, shape: Shape, drawn: Warped) -> Points:  # noqa: ARG002
        return moved(points, drawn.chosen, drawn.matrices)

    def mirrored(self, drawn: Warped) -> Indices:
        mirrors: NDArray[np.bool_] = np.linalg.det(drawn.matrices[:, :2, :2]) < 0
        return drawn.chosen[mirrors]


def warp(images: Images, drawn: Warped, interpolation: int, border_mode: int, fill: Any) -> Images:
    """The batch (B, H, W, C), whose chosen images are warped by their matrices, in place."""
    height, width, channels = images.shape[1:]
    values = per_channel(fill, channels)
    for number, matrix in zip(drawn.chosen, drawn.matrices[:, :2], strict=True):
        for first in range(0, channels, _OPENCV_CHANNELS):
            part = slice(first, first + _OPENCV_CHANNELS)
            warped = cv2.warpAffine(
                images[number, :, :, part],
                matrix,
                (width, height),
                flags=interpolation,
                borderMode=border_mode,
                borderValue=values[part],
            )
            images[number, :, :, part] = warped.reshape(height, width, -1)
    return images


def affine_matrices(transform: Any, size: Size, count: int, random: Random) -> Floats:
    """`count` draws of an `Affine` or a `ShiftScaleRotate`, (count, 3, 3)."""
    height, width = size
    if transform.translate_px is not None:
        low_high = transform.translate_px
        x, y = (random.integers(int(low_high[k][0]), int(low_high[k][1]) + 1, count) for k in ("x", "y"))
    else:
        share = {key: uniform(random, transform.translate_percent[key], count) for key in ("x", "y")}
        x, y = np.trunc(share["x"] * width), np.trunc(share["y"] * height)
    shear_x, shear_y = (np.deg2rad(-uniform(random, transform.shear[key], count)) for key in ("x", "y"))
    scale_x, scale_y = (uniform(random, transform.scale[key], count) for key in ("x", "y"))
    if transform.keep_ratio:
        scale_y = scale_x
    angle = np.deg2rad(uniform(random, transform.rotate, count))
    scaling = _matrices(count, (scale_x, 0, 0), (0, scale_y, 0))
    shearing = _matrices(count, (1, np.tan(shear_x), 0), (np.tan(shear_y), 1, 0))
    shift = _matrices(count, (1, 0, x), (0, 1, y))
    to_centre, back = _about_centre(size, count)
    return back @ shift @ shearing @ _rotation(angle) @ scaling @ to_centre


def rotate_matrices(transform: Any, size: Size, count: int, random: Random) -> Floats:
    """`count` draws of a `Rotate`, (count, 3, 3)."""
    angle = np.deg2rad(uniform(random, transform.limit, count))
    to_centre, back = _about_centre(size, count)
    return back @ _rotation(angle) @ to_centre


def safe_rotate_matrices(transform: Any, size: Size, count: int, random: Random) -> Floats:
    """`count` draws of a `SafeRotate`, which shrinks the rotated picture into the frame, (count, 3, 3)."""
    height, width = size
    angle = np.deg2rad(uniform(random, transform.limit, count))
    cos, sin = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    new_width, new_height = np.trunc(height * sin + width * cos), np.trunc(height * cos + width * sin)
    to_centre, _ = _about_centre(size, count)
    scaling = _matrices(count, (width / new_width, 0, 0), (0, height / new_height, 0))
    new_centre = _matrices(count, (1, 0, new_width / 2), (0, 1, new_height / 2))
    return scaling @ new_centre @ _rotation(angle) @ to_centre


def _about_centre(size: Size, count: int) -> tuple[Floats, Floats]:
    """Matrices that move the middle of the picture to the origin, and back."""
    x, y = size[1] / 2 - 0.5, size[0] / 2 - 0.5
    return _matrices(count, (1, 0, -x), (0, 1, -y)), _matrices(count, (1, 0, x), (0, 1, y))


def _rotation(angle: Floats) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    return _matrices(len(angle), (cos, sin, 0), (-sin, cos, 0))


def _matrices(count: int, *rows: tuple[Any, Any, Any]) -> Floats:
    """(count, 3, 3) from the first two rows, whose entries are numbers or (count,) arrays."""
    result = np.zeros((count, 3, 3))
    for i, row in enumerate(rows):
        for j, values in enumerate(row):
            result[:, i, j] = values
    result[:, 2, 2] = 1
    return result


def of_affine(transform: Any) -> AffineForm | None:
    if transform.fit_output or transform.balanced_scale:
        return None
    return AffineForm(transform, affine_matrices)


def of_rotate(transform: Any) -> AffineForm | None:
    return None if transform.crop_border else AffineForm(transform, rotate_matrices)


def of_safe_rotate(transform: Any) -> AffineForm:
    return AffineForm(transform, safe_rotate_matrices)
