import cv2
import numpy as np
import pytest

from convoy.data import keypoints, pixels
from convoy.errors import DataError


@pytest.mark.parametrize("policy", ["stretch", "fit", "cover"])
@pytest.mark.parametrize("size", [(96, 64), (40, 128), (64, 64)])
def test_a_point_lies_on_the_spot_that_it_marked(policy: str, size: tuple[int, int]) -> None:
    """A blob's centre of mass moves with its picture; the point must move alike."""
    rows, columns = size
    spec = {"height": 48, "width": 32, "channels": 1, "resize": policy, "max_pixels": 10**6}
    x, y = columns / 2 + 3, rows / 2 - 4
    picture = np.zeros((rows, columns, 1), np.uint8)
    cv2.circle(picture, (round(x), round(y)), 5, 255, -1)
    small = pixels.fitted(picture, spec).astype(float)[:, :, 0]
    down, across = np.indices(small.shape)
    centre = [(across * small).sum() / small.sum(), (down * small).sum() / small.sum()]
    moved = keypoints.resized(np.array([[[round(x), round(y), 2.0]]]), np.array([[rows, columns]]), spec)
    np.testing.assert_allclose(moved[0, 0, :2], centre, atol=0.15)
    assert moved[0, 0, 2] == 2


def test_points_that_a_crop_cuts_off_are_no_longer_seen() -> None:
    spec = {"height": 32, "width": 32, "resize": "cover"}
    points = np.array([[[0.0, 16.0, 2.0], [50.0, 16.0, 2.0]]])
    moved = keypoints.resized(points, np.array([[32, 100]]), spec)
    assert moved[0, :, 2].tolist() == [0, 2]
    assert moved[0, 0, 0] == -34


def test_points_of_unknown_place_stay_unknown() -> None:
    spec = {"height": 32, "width": 32, "resize": "fit"}
    moved = keypoints.resized(np.array([[[0.0, 0.0, 0.0]]]), np.array([[20, 100]]), spec)
    assert moved.tolist() == [[[0, 0, 0]]]


def test_pictures_of_different_sizes_go_by_their_own() -> None:
    spec = {"height": 32, "width": 32, "resize": "stretch"}
    points = np.array([[[31.5, 31.5, 2.0]], [[7.5, 7.5, 2.0]], [[31.5, 31.5, 2.0]]])
    moved = keypoints.resized(points, np.array([[64, 64], [16, 16], [64, 64]]), spec)
    np.testing.assert_allclose(moved[:, 0, :2], 15.5)


def test_samples_with_another_number_of_points_are_named() -> None:
    with pytest.raises(DataError, match=r"1 samples.* than 2: b\.png"):
        keypoints.table([[1.0] * 6, [1.0] * 3, None], ["a.png", "b.png", "c.png"])


def test_a_missing_list_is_all_unknown() -> None:
    table = keypoints.table([None, [1.0, 2.0, 2.0]], ["a.png", "b.png"])
    assert table.tolist() == [[[0, 0, 0]], [[1, 2, 2]]]
