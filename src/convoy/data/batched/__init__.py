"""Transforms of albumentations, their random numbers drawn for a whole batch at once.

albumentations spends some 75 µs of Python on each image to draw parameters and build matrices, holding the
interpreter's lock; the pixels of a small image take OpenCV 6. Here the drawing is one vectorised step a
batch, and the pixels are OpenCV calls that release the lock. Distributions, matrices and pixel operations are
albumentations' own definitions, and the tests compare them; what is not covered (`of` returns None) goes
through albumentations itself.

Nothing here imports albumentations: a form is found by the class name of the transform that it is given, and
reads that one's attributes. The adapter, `convoy.data.augment`, is the one module that knows the library.
"""

from collections.abc import Callable
from typing import Any

from convoy.data.batched import affine, blur, colour, crops, dropout, noise, padding, symmetries, tones
from convoy.data.batched._base import Drawn, Form

AnyForm = Form[Any]

_MAKERS: dict[str, Callable[[Any], AnyForm | None]] = {
    "Affine": affine.of_affine,
    "CoarseDropout": dropout.of_coarse_dropout,
    "ColorJitter": colour.of_color_jitter,
    "D4": symmetries.of_d4,
    "Erasing": dropout.of_erasing,
    "GaussNoise": noise.of_gauss_noise,
    "GaussianBlur": blur.of_gaussian_blur,
    "HorizontalFlip": symmetries.of_horizontal_flip,
    "Pad": padding.of_pad,
    "RandomBrightnessContrast": tones.of_brightness_contrast,
    "RandomCrop": crops.of_random_crop,
    "RandomGamma": tones.of_gamma,
    "RandomResizedCrop": crops.of_random_resized_crop,
    "RandomRotate90": symmetries.of_rotate90,
    "Rotate": affine.of_rotate,
    "SafeRotate": affine.of_safe_rotate,
    "ShiftScaleRotate": affine.of_affine,
    "SquareSymmetry": symmetries.of_d4,
    "ToGray": colour.of_to_gray,
    "Transpose": symmetries.of_transpose,
    "VerticalFlip": symmetries.of_vertical_flip,
}

__all__ = ["AnyForm", "Drawn", "Form", "names", "of"]


def of(transform: Any) -> AnyForm | None:
    """The batch form of an albumentations transform, or None where there is none."""
    make = _MAKERS.get(type(transform).__name__)
    return make(transform) if make else None


def names() -> list[str]:
    """The transforms that have a batch form, for most of their arguments."""
    return sorted(_MAKERS)
