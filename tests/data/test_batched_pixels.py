"""Batch forms against albumentations: the same drawn numbers give the same pixels."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from albumentations.augmentations.geometric import functional

from convoy.data.batched import affine
from convoy.data.batched.colour import Jittered
from convoy.data.batched.symmetries import ELEMENTS
from tests.data.forms import CASES, IDS, build, form, random, smooth
from tests.toys import images

Case = tuple[str, dict[str, Any]]
Parameters = Iterator[dict[str, Any]]


def _warps(drawn: Any, shape: tuple[int, ...]) -> Parameters:
    box = {"x_min": -1, "x_max": -1, "y_min": -1, "y_max": -1}
    for matrix in drawn.matrices:
        yield {"matrix": matrix, "output_shape": shape[1:3], "scale": {"x": 1, "y": 1}, **box}


def _elements(drawn: Any, shape: tuple[int, ...]) -> Parameters:
    for element in drawn.elements:
        yield {"factor": int(element), "group_element": ELEMENTS[element]}


def _crops(drawn: Any, shape: tuple[int, ...]) -> Parameters:
    for box in drawn.boxes.tolist():
        yield {"crop_coords": tuple(box), "pad_params": None}


def _pads(drawn: Any, shape: tuple[int, ...]) -> Parameters:
    left, top, right, bottom = drawn.sides
    for _ in drawn.chosen:
        yield {"pad_left": left, "pad_top": top, "pad_right": right, "pad_bottom": bottom}


def _jitters(drawn: Jittered, shape: tuple[int, ...]) -> Parameters:
    for factors, order in zip(drawn.factors.tolist(), drawn.order.tolist(), strict=True):
        names = ("brightness", "contrast", "saturation", "hue")
        yield {**dict(zip(names, factors, strict=True)), "order": order}


def _holes(drawn: Any, shape: tuple[int, ...]) -> Parameters:
    for sample in drawn.chosen:
        yield {"holes": drawn.holes[drawn.owners == sample], "seed": 0}


def _kernels(drawn: Any, shape: tuple[int, ...]) -> Parameters:
    for kernel in drawn.kernels:
        yield {"kernel": kernel}


def _nothing(drawn: Any, shape: tuple[int, ...]) -> Parameters:
    for _ in drawn.chosen:
        yield {}


PARAMETERS: dict[str, Callable[[Any, tuple[int, ...]], Parameters]] = {
    "Affine": _warps,
    "ShiftScaleRotate": _warps,
    "Rotate": _warps,
    "SafeRotate": _warps,
    "HorizontalFlip": _nothing,
    "VerticalFlip": _nothing,
    "Transpose": _nothing,
    "RandomRotate90": _elements,
    "D4": _elements,
    "RandomResizedCrop": _crops,
    "RandomCrop": _crops,
    "Pad": _pads,
    "ColorJitter": _jitters,
    "ToGray": _nothing,
    "GaussianBlur": _kernels,
    "CoarseDropout": _holes,
    "Erasing": _holes,
}
GIVEN = [(case, name) for case, name in zip(CASES, IDS, strict=True) if case[0] in PARAMETERS]


@pytest.mark.parametrize("case", [case for case, _ in GIVEN], ids=[name for _, name in GIVEN])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_batch_equals_albumentations_with_the_same_numbers(case: Case, channels: int) -> None:
    if case[0] == "ToGray" and channels == 1:
        pytest.skip("albumentations warns and changes nothing")
    transform, ours = build(case), form(case)
    for batch in (smooth(24, channels=channels), images(24, side=24, channels=channels)):
        drawn = ours.draw(batch.shape, random(1))
        expected = [
            transform.apply(image.copy(), **numbers, shape=image.shape)
            for image, numbers in zip(batch, PARAMETERS[case[0]](drawn, batch.shape), strict=True)
        ]
        result = ours.pixels(batch.copy(), drawn)
        np.testing.assert_array_equal(result, np.stack(expected).reshape(result.shape))


@pytest.mark.parametrize("name", ["RandomBrightnessContrast", "RandomGamma"])
@pytest.mark.parametrize("channels", [1, 3])
def test_tables_equal_albumentations_with_the_same_numbers(name: str, channels: int) -> None:
    fixed: dict[str, dict[str, Any]] = {
        "RandomBrightnessContrast": {"brightness_limit": (0.15, 0.15), "contrast_limit": (-0.4, -0.4)},
        "RandomGamma": {"gamma_limit": (137, 137)},
    }
    batch = smooth(4, channels=channels)
    expected = np.stack([build((name, fixed[name]))(image=image)["image"] for image in batch])
    np.testing.assert_array_equal(form((name, fixed[name]))(batch, random()), expected.reshape(batch.shape))


@pytest.mark.parametrize("per_channel", [True, False])
def test_noise_is_added_as_albumentations_adds_it(per_channel: bool) -> None:
    case: Case = ("GaussNoise", {"std_range": (0.1, 0.1), "per_channel": per_channel})
    batch = np.full((2, 24, 24, 3), 40, np.uint8)  # 40 of 255 with a deviation of 25: some values are clipped
    drawn = form(case).draw(batch.shape, random())
    result = form(case).pixels(batch.copy(), drawn)
    noise = np.random.Generator(np.random.SFC64(drawn.key)).standard_normal(
        (24, 24, 3 if per_channel else 1), dtype=np.float32
    )
    noise = np.broadcast_to(noise * np.float32(25.5), (24, 24, 3))
    np.testing.assert_array_equal(result[0], build(case).apply(batch[0], noise_map=noise))


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_the_ends_of_the_colour_factors_are_those_of_albumentations(factor: float) -> None:
    limits = dict.fromkeys(("brightness", "contrast", "saturation"), (factor, factor))
    case: Case = ("ColorJitter", {**limits, "hue": (0, 0)})
    batch = smooth(6)
    drawn = form(case).draw(batch.shape, random())
    expected = [
        build(case).apply(image, **numbers)
        for image, numbers in zip(batch, _jitters(drawn, batch.shape), strict=True)
    ]
    np.testing.assert_array_equal(form(case).pixels(batch.copy(), drawn), np.stack(expected))


def test_a_matrix_is_the_one_that_albumentations_builds_from_the_same_numbers() -> None:
    transform = build(
        (
            "Affine",
            {
                "rotate": (20, 20),
                "scale": (1.2, 1.2),
                "shear": {"x": (10, 10), "y": (3, 3)},
                "translate_px": {"x": 2, "y": -1},
            },
        )
    )
    (ours,) = affine.affine_matrices(transform, (28, 20), 1, random())
    expected = functional.create_affine_transformation_matrix(
        {"x": 2, "y": -1}, {"x": -10.0, "y": -3.0}, {"x": 1.2, "y": 1.2}, 20, functional.center((28, 20))
    )
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_more_than_four_channels_are_warped_too() -> None:
    batch = smooth(3, channels=8)
    case: Case = ("Rotate", {"limit": (30, 30)})
    expected = np.stack([build(case)(image=image)["image"] for image in batch])
    np.testing.assert_array_equal(form(case)(batch, random()), expected)


def test_a_colour_fill_reaches_every_channel() -> None:
    away: Case = ("Affine", {"translate_px": (8, 8), "fill": (1, 2, 3)})
    result = form(away)(np.zeros((1, 8, 8, 3), np.uint8), random())
    np.testing.assert_array_equal(result, np.broadcast_to(np.array([1, 2, 3], np.uint8), result.shape))
