"""Every transform that has a batch form, with arguments that make a difference, for the tests of the
forms.
"""

from typing import Any

import albumentations
import cv2
import numpy as np
from numpy.typing import NDArray

from convoy.data import batched
from convoy.data.batched import AnyForm

# (name, arguments without p)
CASES: list[tuple[str, dict[str, Any]]] = [
    ("Affine", {"rotate": (-30, 30)}),
    ("Affine", {"scale": (0.5, 1.5), "keep_ratio": True, "fill": 7}),
    ("Affine", {"scale": {"x": (0.8, 1.0), "y": (1.0, 1.4)}, "shear": {"x": (-20, 20), "y": (-5, 5)}}),
    (
        "Affine",
        {
            "translate_px": (-3, 3),
            "border_mode": cv2.BORDER_REFLECT_101,
            "interpolation": cv2.INTER_CUBIC,
        },
    ),
    (
        "Affine",
        {"translate_percent": (-0.3, 0.3), "rotate": (-180, 180), "border_mode": cv2.BORDER_REPLICATE},
    ),
    ("ShiftScaleRotate", {}),
    ("Rotate", {"limit": (-90, 90), "fill": 9}),
    ("Rotate", {"limit": 20, "interpolation": cv2.INTER_NEAREST, "border_mode": cv2.BORDER_REFLECT}),
    ("SafeRotate", {"limit": (-90, 90)}),
    ("SafeRotate", {"limit": 40, "border_mode": cv2.BORDER_CONSTANT, "fill": 200}),
    ("HorizontalFlip", {}),
    ("VerticalFlip", {}),
    ("Transpose", {}),
    ("RandomRotate90", {}),
    ("D4", {}),
    ("RandomResizedCrop", {"size": (24, 24)}),
    ("RandomResizedCrop", {"size": (24, 24), "scale": (0.1, 0.5), "interpolation": cv2.INTER_CUBIC}),
    ("RandomResizedCrop", {"size": (10, 14), "area_for_downscale": "image", "ratio": (0.5, 2.0)}),
    ("RandomCrop", {"height": 20, "width": 9}),
    ("Pad", {"padding": 3, "fill": 50}),
    ("Pad", {"padding": (1, 2, 3, 4), "border_mode": cv2.BORDER_REFLECT_101}),
    ("RandomBrightnessContrast", {"brightness_limit": (-0.3, 0.1), "contrast_limit": (-0.4, 0.4)}),
    ("RandomGamma", {"gamma_limit": (60, 160)}),
    ("ColorJitter", {}),
    (
        "ColorJitter",
        {"brightness": (0.4, 1.9), "contrast": (0.3, 1.8), "saturation": (0, 2), "hue": (-0.1, 0.1)},
    ),
    ("ToGray", {}),
    ("GaussNoise", {"std_range": (0.05, 0.2), "mean_range": (-0.1, 0.1)}),
    ("GaussNoise", {"std_range": (0.05, 0.2), "per_channel": False}),
    ("GaussianBlur", {"sigma_limit": (0.3, 2.5)}),
    ("GaussianBlur", {"sigma_limit": (1.0, 2.0), "blur_limit": (3, 8)}),
    ("CoarseDropout", {"num_holes_range": (1, 4), "fill": 128}),
    (
        "CoarseDropout",
        {"num_holes_range": (2, 2), "hole_height_range": (2, 5), "hole_width_range": (3, 9)},
    ),
    ("Erasing", {}),
    ("Erasing", {"scale": (0.2, 0.6), "ratio": (0.5, 2.0), "fill": 33}),
]
IDS = [f"{name}-{number}" for number, (name, _) in enumerate(CASES)]


def build(case: tuple[str, dict[str, Any]], p: float = 1.0) -> albumentations.BasicTransform:
    import warnings

    name, arguments = case
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="ShiftScaleRotate is a special case")
        return getattr(albumentations, name)(**arguments, p=p)


def form(case: tuple[str, dict[str, Any]], p: float = 1.0) -> AnyForm:
    found = batched.of(build(case, p))
    assert found is not None
    return found


def random(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def smooth(
    count: int, height: int = 24, width: int = 24, channels: int = 3, seed: int = 0
) -> NDArray[np.uint8]:
    """Pictures with soft shapes and every grey value, (N, H, W, C): resampling them is well conditioned."""
    rough = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, channels), dtype=np.uint8)
    large = [cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC) for image in rough]
    return np.stack(large).reshape(count, height, width, channels)
