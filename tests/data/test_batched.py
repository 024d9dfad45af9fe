"""What holds for every batch form, whatever it does."""

from typing import Any

import albumentations
import cv2
import numpy as np
import pytest

from convoy.data import batched
from convoy.errors import ConfigError
from tests.data.forms import CASES, IDS, build, form, random, smooth
from tests.toys import images

Case = tuple[str, dict[str, Any]]
every_case = pytest.mark.parametrize("case", CASES, ids=IDS)
VISIBLE = [  # keep the size, and change a picture whenever they choose it
    case
    for case in CASES
    if case[0] not in ("Pad", "RandomCrop")
    and case[1].get("size") != (10, 14)
    and case[1].get("interpolation") != cv2.INTER_NEAREST
]


def test_every_batch_form_is_among_the_cases_of_these_tests() -> None:
    assert {name for name, _ in CASES} | {"SquareSymmetry"} == set(batched.names())


@every_case
@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_numbers_give_the_same_batch_and_others_another(case: Case, channels: int) -> None:
    batch = smooth(12, channels=channels)
    before = batch.copy()
    first, again = form(case)(batch, random(3)), form(case)(batch, random(3))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(batch, before)
    assert first.dtype == np.uint8
    fixed = {"HorizontalFlip", "VerticalFlip", "Transpose", "Pad", "ToGray"}
    if case[0] not in fixed:
        assert not np.array_equal(first, form(case)(batch, random(4)))


@pytest.mark.parametrize("case", VISIBLE, ids=[f"{name}-{n}" for n, (name, _) in enumerate(VISIBLE)])
def test_the_probability_picks_images_and_leaves_the_others_alone(case: Case) -> None:
    batch = smooth(1000, height=12, width=12)
    if "size" in case[1]:
        case = (case[0], {**case[1], "size": (12, 12)})
    changed = (form(case, p=0.3)(batch, random()) != batch).any(axis=(1, 2, 3)).mean()
    unmoved = {"RandomRotate90": 1 / 4, "D4": 1 / 8}.get(case[0], 0.0)
    assert changed == pytest.approx(0.3 * (1 - unmoved), abs=0.06)


@every_case
def test_no_sample_is_enough_when_none_is_chosen(case: Case) -> None:
    batch = smooth(3)
    if case[0] in ("Pad", "RandomCrop") or case[1].get("size", (24, 24)) != (24, 24):
        pytest.skip("changes the size of all or of none")
    np.testing.assert_array_equal(form(case, p=0.0)(batch, random()), batch)


@pytest.mark.parametrize(
    "transform",
    [
        albumentations.Affine(fit_output=True),
        albumentations.Affine(balanced_scale=True),
        albumentations.Rotate(crop_border=True),
        albumentations.RandomBrightnessContrast(brightness_by_max=False),
        albumentations.RandomCrop(8, 8, pad_if_needed=True),
        albumentations.RandomCrop(8, 8, p=0.5),
        albumentations.Pad(2, p=0.5),
        albumentations.ToGray(method="max"),
        albumentations.GaussNoise(noise_scale_factor=0.5),
        albumentations.CoarseDropout(fill="random"),
        albumentations.Erasing(fill="random_uniform"),
        albumentations.CLAHE(),
    ],
    ids=lambda transform: type(transform).__name__,
)
def test_what_has_no_batch_form_is_left_to_albumentations(transform: albumentations.BasicTransform) -> None:
    assert batched.of(transform) is None


@pytest.mark.parametrize("name", ["Transpose", "RandomRotate90", "D4", "SquareSymmetry"])
def test_turning_sideways_needs_square_pictures(name: str) -> None:
    with pytest.raises(ConfigError, match="needs square pictures, these are 12 × 10"):
        form((name, {}))(images(2)[:, :, :10], random())


def test_a_crop_that_is_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(ConfigError, match="RandomCrop wants 14 × 12 of pictures of 12 × 12"):
        form(("RandomCrop", {"height": 14, "width": 12}))(images(2), random())


def test_a_crop_of_another_size_for_some_pictures_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="two sizes"):
        form(("RandomResizedCrop", {"size": (8, 8)}), p=0.5)(images(2), random())


def test_padding_and_cropping_shift_a_picture_by_up_to_the_padding() -> None:
    batch = smooth(200, height=8, width=8, channels=1)
    batch[:, 3, 3] = 255
    padded = form(("Pad", {"padding": 2}))(batch, random())
    assert padded.shape == (200, 12, 12, 1)
    shifted = form(("RandomCrop", {"height": 8, "width": 8}))(padded, random())
    assert shifted.shape == batch.shape
    found = {tuple(np.argwhere(after[:, :, 0] == padded[n].max())[0]) for n, after in enumerate(shifted)}
    assert len(found) >= 25  # each of the 5 × 5 shifts occurs


def test_a_crop_without_a_size_keeps_that_of_the_pictures() -> None:
    transform = build(("RandomResizedCrop", {"size": (1, 1)}))
    transform.size = None
    operation = batched.of(transform)
    assert operation is not None
    assert operation(images(3)[:, :, :10], random()).shape == (3, 12, 10, 1)


def test_crops_that_never_fit_fall_back_to_the_middle() -> None:
    narrow = np.zeros((4, 40, 4, 1), np.uint8)
    drawn = form(("RandomResizedCrop", {"size": (8, 8), "scale": (0.9, 1.0)})).draw(narrow.shape, random())
    np.testing.assert_array_equal(drawn.boxes, [[0, 17, 4, 22]] * 4)


def test_black_holes_stay_inside_the_picture() -> None:
    shape = (500, 20, 30, 1)
    for case in (c for c in CASES if c[0] in ("CoarseDropout", "Erasing")):
        drawn = form(case).draw(shape, random())
        left, top, right, bottom = drawn.holes.T
        assert (left >= 0).all()
        assert (top >= 0).all()
        assert (right <= 30).all()
        assert (bottom <= 20).all()
        assert ((right - left) * (bottom - top) > 0).any()
