"""Batch forms against albumentations itself: same matrices, same pixels, same distributions."""

from typing import Any

import albumentations
import cv2
import numpy as np
import pytest
from albumentations.augmentations.geometric import functional
from numpy.typing import NDArray
from scipy import stats

from convoy.data import batched
from tests.toys import images

AFFINES: list[dict[str, Any]] = [
    {"rotate": (-30, 30)},
    {"scale": (0.5, 1.5), "keep_ratio": True, "fill": 7},
    {"scale": {"x": (0.8, 1.0), "y": (1.0, 1.4)}, "shear": {"x": (-20, 20), "y": (-5, 5)}},
    {"translate_px": (-3, 3), "border_mode": cv2.BORDER_REFLECT_101, "interpolation": cv2.INTER_CUBIC},
    {"translate_percent": (-0.3, 0.3), "rotate": (-180, 180), "border_mode": cv2.BORDER_REPLICATE},
]


def random(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def theirs(transform: albumentations.Affine, image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> Any:
    return transform.apply(image, matrix=matrix, output_shape=image.shape[:2])


@pytest.mark.parametrize("arguments", AFFINES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_warped_batch_equals_albumentations_with_the_same_matrices(
    arguments: dict[str, Any], channels: int
) -> None:
    transform = albumentations.Affine(**arguments, p=1.0)
    batch = images(16, channels=channels)
    matrices = batched.affine_matrices(transform, (batch.shape[1], batch.shape[2]), len(batch), random())
    expected = np.stack([theirs(transform, x, m) for x, m in zip(batch, matrices, strict=True)])
    batched.warp(batch, np.arange(len(batch)), matrices, transform)
    np.testing.assert_array_equal(batch, expected.reshape(batch.shape))


def test_a_matrix_is_the_one_that_albumentations_builds_from_the_same_numbers() -> None:
    transform = albumentations.Affine(
        rotate=(20, 20), scale=(1.2, 1.2), shear={"x": (10, 10), "y": (3, 3)}, translate_px={"x": 2, "y": -1}
    )
    (ours,) = batched.affine_matrices(transform, (28, 20), 1, random())
    expected = functional.create_affine_transformation_matrix(
        {"x": 2, "y": -1}, {"x": -10.0, "y": -3.0}, {"x": 1.2, "y": 1.2}, 20, functional.center((28, 20))
    )
    np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize("arguments", AFFINES)
def test_matrices_are_drawn_from_the_distribution_that_albumentations_draws_from(
    arguments: dict[str, Any],
) -> None:
    transform = albumentations.Affine(**arguments, p=1.0)
    transform.set_random_seed(3)
    count = 3000
    drawn = [
        transform.get_params_dependent_on_data({"shape": (24, 32, 1)}, {})["matrix"] for _ in range(count)
    ]
    expected, ours = np.stack(drawn), batched.affine_matrices(transform, (24, 32), count, random(1))
    for row, column in np.ndindex(2, 3):
        ours_entry, theirs_entry = ours[:, row, column].round(9), expected[:, row, column].round(9)
        assert stats.ks_2samp(ours_entry, theirs_entry).pvalue > 1e-3, (row, column)


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (albumentations.HorizontalFlip(p=1.0), lambda batch: batch[:, :, ::-1]),
        (albumentations.VerticalFlip(p=1.0), lambda batch: batch[:, ::-1]),
    ],
)
def test_flips(transform: albumentations.BasicTransform, expected: Any) -> None:
    batch = images(5, channels=3)
    operation = batched.of(transform)
    assert operation is not None
    np.testing.assert_array_equal(operation(batch, random()), expected(batch))
    np.testing.assert_array_equal(operation(batch, random())[2], transform(image=batch[2])["image"])


@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_and_contrast_equal_albumentations_with_the_same_numbers(channels: int) -> None:
    transform = albumentations.RandomBrightnessContrast(
        brightness_limit=(0.15, 0.15), contrast_limit=(-0.4, -0.4), p=1.0
    )
    batch = images(4, channels=channels)
    operation = batched.of(transform)
    assert operation is not None
    expected = np.stack([transform(image=image)["image"] for image in batch])
    np.testing.assert_array_equal(operation(batch, random()), expected.reshape(batch.shape))


def test_brightness_and_contrast_vary_within_their_limits() -> None:
    operation = batched.of(
        albumentations.RandomBrightnessContrast(brightness_limit=(-0.2, 0.1), contrast_limit=(0, 0), p=1.0)
    )
    assert operation is not None
    shift = operation(np.full((2000, 1, 1, 1), 100, np.uint8), random()).ravel().astype(float) - 100
    assert shift.min() >= -52
    assert shift.max() <= 26
    assert stats.kstest(shift, stats.uniform(-51, 76.5).cdf).statistic < 0.05


@pytest.mark.parametrize("name", ["Affine", "HorizontalFlip", "RandomBrightnessContrast"])
def test_the_probability_picks_images_and_leaves_the_others_alone(name: str) -> None:
    arguments: dict[str, Any] = {
        "Affine": {"rotate": (30, 60)},
        "RandomBrightnessContrast": {"brightness_limit": (0.2, 0.3)},
    }
    operation = batched.of(getattr(albumentations, name)(**arguments.get(name, {}), p=0.3))
    assert operation is not None
    batch = images(1000)
    changed = (operation(batch, random()) != batch).any(axis=(1, 2, 3)).mean()
    assert 0.25 < changed < 0.35


@pytest.mark.parametrize(
    "transform",
    [
        albumentations.Affine(fit_output=True),
        albumentations.Affine(balanced_scale=True),
        albumentations.RandomBrightnessContrast(brightness_by_max=False),
        albumentations.GaussNoise(),
    ],
)
def test_what_has_no_batch_form_is_left_to_albumentations(transform: albumentations.BasicTransform) -> None:
    assert batched.of(transform) is None
