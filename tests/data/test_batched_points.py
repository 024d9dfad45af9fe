"""Batch forms against albumentations: points and masks follow the pixels."""

from typing import Any

import albumentations
import cv2
import numpy as np
import pytest

from tests.data.forms import CASES, IDS, build, form, random, smooth
from tests.data.test_batched_pixels import PARAMETERS

Case = tuple[str, dict[str, Any]]
REFLECTING = (cv2.BORDER_REFLECT, cv2.BORDER_REFLECT_101)


def reflects(case: Case) -> bool:
    """albumentations adds mirror images of the points there; a batch form keeps each point's own place."""
    default = {"SafeRotate": cv2.BORDER_CONSTANT}.get(case[0], cv2.BORDER_CONSTANT)
    return case[1].get("border_mode", default) in REFLECTING


GEOMETRIC = [
    (case, name)
    for case, name in zip(CASES, IDS, strict=True)
    if case[0] in PARAMETERS
    and issubclass(getattr(albumentations, case[0]), albumentations.DualTransform)
    and not reflects(case)
]
every_geometric_case = pytest.mark.parametrize(
    "case", [case for case, _ in GEOMETRIC], ids=[name for _, name in GEOMETRIC]
)


@every_geometric_case
def test_points_move_as_albumentations_moves_them(case: Case) -> None:
    transform, ours = build(case), form(case)
    batch = smooth(16)
    points = np.random.default_rng(0).uniform(0, 23, (16, 5, 2)).astype(np.float32)
    drawn = ours.draw(batch.shape, random(2))
    moved = ours.points(points, batch.shape, drawn)
    for given, found, numbers in zip(points, moved, PARAMETERS[case[0]](drawn, batch.shape), strict=True):
        full = np.column_stack([given, np.zeros((5, 2)), np.ones(5)]).astype(np.float32)  # x y z angle scale
        expected = transform.apply_to_keypoints(full, **numbers, shape=batch.shape[1:])
        np.testing.assert_allclose(found, expected[:, :2], atol=1e-3)


@every_geometric_case
def test_masks_change_as_albumentations_changes_them(case: Case) -> None:
    extra = {"fill_mask": 3} if "fill" in case[1] else {}
    case = (case[0], {**case[1], **extra})
    transform, ours = build(case), form(case)
    masks = (smooth(16, channels=1) > 128).astype(np.uint8)
    shape = (*masks.shape[:3], 3)
    drawn = ours.draw(shape, random(2))
    expected = [
        transform.apply_to_mask(mask[:, :, 0].copy(), **numbers, shape=shape[1:])
        for mask, numbers in zip(masks, PARAMETERS[case[0]](drawn, shape), strict=True)
    ]
    np.testing.assert_array_equal(ours.masks(masks.copy(), drawn)[..., 0], np.stack(expected))


@every_geometric_case
def test_what_is_called_mirrored_is_mirrored(case: Case) -> None:
    """Three points in a turn to the left lie in a turn to the right afterwards, in those samples alone."""
    ours = form(case, p=1.0 if case[0] in ("Pad", "RandomCrop") else 0.6)
    shape = (64, 24, 24, 3)
    if case[1].get("size") == (10, 14):
        ours = form(case)
    points = np.tile(np.array([[2.0, 2.0], [9.0, 2.0], [2.0, 9.0]]), (64, 1, 1))
    drawn = ours.draw(shape, random(5))
    moved = ours.points(points, shape, drawn)
    a, b = moved[:, 1] - moved[:, 0], moved[:, 2] - moved[:, 0]
    turned_round = np.flatnonzero(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0)
    np.testing.assert_array_equal(np.sort(ours.mirrored(drawn)), turned_round)


@pytest.mark.parametrize("name", ["ColorJitter", "RandomGamma", "GaussNoise", "ToGray", "GaussianBlur"])
def test_what_changes_colours_alone_leaves_points_and_masks(name: str) -> None:
    ours = form((name, {}))
    points, masks = np.ones((2, 3, 2), np.float32), np.ones((2, 8, 8, 1), np.uint8)
    drawn = ours.draw((2, 8, 8, 3), random())
    assert ours.points(points, (2, 8, 8, 3), drawn) is points
    assert ours.masks(masks, drawn) is masks
