"""Common transforms of albumentations, their random numbers drawn for a whole batch at once.

albumentations spends some 75 µs of Python on each image to draw parameters and build matrices, holding the
interpreter's lock; the pixels take OpenCV 6. Here the drawing is one vectorised step a batch. Distributions,
matrices and pixel operations are albumentations' own definitions, and the tests compare them; what is not
covered (`of` returns None) goes through albumentations itself.
"""

from collections.abc import Callable
from typing import Any

import albumentations
import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]
BatchOperation = Callable[[Images, np.random.Generator], Images]  # changes nothing it is given

_OPENCV_CHANNELS = 4  # that warpAffine takes at once


def of(transform: albumentations.BasicTransform) -> BatchOperation | None:
    """The batch form of a transform, or None where there is none."""
    make = _FORMS.get(type(transform))
    return make(transform) if make else None


def _affine(transform: Any) -> BatchOperation | None:
    if transform.fit_output or transform.balanced_scale:
        return None

    def apply(images: Images, random: np.random.Generator) -> Images:
        chosen = _chosen(transform, images, random)
        result = images.copy()
        warp(result, chosen, affine_matrices(transform, images.shape[1:3], len(chosen), random), transform)
        return result

    return apply


def affine_matrices(transform: Any, size: tuple[int, int], count: int, random: np.random.Generator) -> Floats:
    """`count` draws of an `Affine`.

    Args:
        transform: an `albumentations.Affine`.
        size: (height, width) in pixels.

    Returns:
        (count, 3, 3): from source to target pixel coordinates (x, y, 1).
    """
    height, width = size
    if transform.translate_px is not None:
        low_high = transform.translate_px
        x, y = (random.integers(int(low_high[k][0]), int(low_high[k][1]) + 1, count) for k in ("x", "y"))
    else:
        share = {key: _uniform(random, transform.translate_percent[key], count) for key in ("x", "y")}
        x, y = np.trunc(share["x"] * width), np.trunc(share["y"] * height)
    shear_x, shear_y = (np.deg2rad(-_uniform(random, transform.shear[key], count)) for key in ("x", "y"))
    scale_x, scale_y = (_uniform(random, transform.scale[key], count) for key in ("x", "y"))
    if transform.keep_ratio:
        scale_y = scale_x
    angle = np.deg2rad(_uniform(random, transform.rotate, count))
    cos, sin = np.cos(angle), np.sin(angle)
    centre_x, centre_y = width / 2 - 0.5, height / 2 - 0.5
    to_centre = _matrices(count, (1, 0, -centre_x), (0, 1, -centre_y))
    scaling = _matrices(count, (scale_x, 0, 0), (0, scale_y, 0))
    rotation = _matrices(count, (cos, sin, 0), (-sin, cos, 0))
    shearing = _matrices(count, (1, np.tan(shear_x), 0), (np.tan(shear_y), 1, 0))
    shift = _matrices(count, (1, 0, x), (0, 1, y))
    back = _matrices(count, (1, 0, centre_x), (0, 1, centre_y))
    return back @ shift @ shearing @ rotation @ scaling @ to_centre


def _matrices(count: int, *rows: tuple[Any, Any, Any]) -> Floats:
    """(count, 3, 3) from the first two rows, whose entries are numbers or (count,) arrays."""
    result = np.zeros((count, 3, 3))
    for i, row in enumerate(rows):
        for j, values in enumerate(row):
            result[:, i, j] = values
    result[:, 2, 2] = 1
    return result


def warp(images: Images, chosen: NDArray[np.int64], matrices: Floats, transform: Any) -> None:
    """Warp `images[chosen]` in place, as `transform` (an `Affine`) would with these matrices."""
    height, width, channels = images.shape[1:]
    fill = transform.fill if isinstance(transform.fill, tuple | list) else (transform.fill,) * channels
    for number, matrix in zip(chosen, matrices[:, :2], strict=True):
        for first in range(0, channels, _OPENCV_CHANNELS):
            part = slice(first, first + _OPENCV_CHANNELS)
            warped = cv2.warpAffine(
                images[number, :, :, part],
                matrix,
                (width, height),
                flags=transform.interpolation,
                borderMode=transform.border_mode,
                borderValue=fill[part],
            )
            images[number, :, :, part] = warped.reshape(height, width, -1)


def _flip(axis: int) -> Callable[[Any], BatchOperation]:
    def make(transform: Any) -> BatchOperation:
        def apply(images: Images, random: np.random.Generator) -> Images:
            chosen = _chosen(transform, images, random)
            result = images.copy()
            result[chosen] = np.flip(images[chosen], axis)
            return result

        return apply

    return make


def _brightness_contrast(transform: Any) -> BatchOperation | None:
    if not transform.brightness_by_max or transform.ensure_safe_range:
        return None

    def apply(images: Images, random: np.random.Generator) -> Images:
        chosen = _chosen(transform, images, random)
        contrast = 1.0 + _uniform(random, transform.contrast_limit, len(chosen))
        brightness = 255.0 * _uniform(random, transform.brightness_limit, len(chosen))
        result = images.copy()
        for number, table in zip(chosen, brightness_tables(contrast, brightness), strict=True):
            result[number] = cv2.LUT(images[number], table).reshape(images.shape[1:])
        return result

    return apply


def brightness_tables(contrast: Floats, brightness: Floats) -> Images:
    """(N, 256): what becomes of each grey value under value * contrast + brightness."""
    values = np.arange(256, dtype=np.float32)
    lines = values * contrast.astype(np.float32)[:, None] + brightness.astype(np.float32)[:, None]
    tables: Images = np.clip(lines, 0, 255).astype(np.uint8)
    return tables


def _uniform(random: np.random.Generator, limits: tuple[float, float], count: int) -> Floats:
    low, high = limits
    return random.uniform(low, high, count)


def _chosen(transform: Any, images: Images, random: np.random.Generator) -> NDArray[np.int64]:
    """Indices of the images that the transform's probability picks."""
    return np.flatnonzero(random.random(len(images)) < transform.p)


_FORMS: dict[type, Callable[[Any], BatchOperation | None]] = {
    albumentations.Affine: _affine,
    albumentations.HorizontalFlip: _flip(2),
    albumentations.VerticalFlip: _flip(1),
    albumentations.RandomBrightnessContrast: _brightness_contrast,
}
