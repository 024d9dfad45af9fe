import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convoy.data import pixels
from convoy.data.pixels import placement, prepare, resize
from tests.data.pictures import MAX_PIXELS, encoded, gradient

POLICIES = ["stretch", "fit", "cover"]
METHODS = ["area", "linear", "cubic", "nearest"]
SPEC = {"height": 8, "width": 8, "channels": 3, "resize": "stretch", "max_pixels": MAX_PIXELS}


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("linear", cv2.INTER_LINEAR_EXACT),
        ("cubic", cv2.INTER_CUBIC),
        ("nearest", cv2.INTER_NEAREST_EXACT),
        ("area", cv2.INTER_AREA),
    ],
)
def test_each_interpolation_is_the_one_of_its_name(name: str, method: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (31, 45, 3), dtype=np.uint8)
    expected = cv2.resize(picture, (13, 10), interpolation=method)
    np.testing.assert_array_equal(resize(picture, 10, 13, "stretch", name), expected)


def test_nearest_makes_no_new_colours() -> None:
    picture = np.array([[[10], [200]], [[90], [30]]], np.uint8)
    for size in (2, 3, 5, 8):
        assert set(np.unique(resize(picture, size, size, "stretch", "nearest"))) <= {10, 30, 90, 200}


def test_area_averages_what_shrinks_and_is_linear_where_it_grows() -> None:
    picture = gradient(40, 8)
    shrunk = cv2.resize(picture, (8, 10), interpolation=cv2.INTER_AREA)
    expected = cv2.resize(shrunk, (16, 10), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(resize(picture, 10, 16, "stretch", "area"), expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("method", METHODS)
def test_all_policies_go_with_all_interpolations(method: str, policy: str, channels: int) -> None:
    spec = {**SPEC, "channels": channels, "resize": policy, "interpolation": method, "width": 11}
    result = prepare(encoded(gradient(5, 40)), spec)
    assert result.shape == (8, 11, channels)
    assert result.flags.c_contiguous


def test_a_spec_from_before_there_was_a_choice_means_area() -> None:
    content = encoded(np.random.default_rng(0).integers(0, 256, (31, 45, 3), dtype=np.uint8))
    np.testing.assert_array_equal(prepare(content, SPEC), prepare(content, {**SPEC, "interpolation": "area"}))
    assert not np.array_equal(prepare(content, SPEC), prepare(content, {**SPEC, "interpolation": "linear"}))


def test_an_unknown_interpolation_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"'lanczos'.*area, linear, cubic, nearest"):
        resize(gradient(), 8, 8, "stretch", "lanczos")


@settings(max_examples=200, deadline=None)
@given(
    rows=st.integers(1, 300), columns=st.integers(1, 300),
    height=st.integers(8, 64), width=st.integers(8, 64), policy=st.sampled_from(POLICIES),
)  # fmt: skip
def test_both_boxes_of_a_placement_lie_inside(
    rows: int, columns: int, height: int, width: int, policy: str
) -> None:
    source, target = placement(rows, columns, height, width, policy)
    for (top, left, down, across), size in ((source, (rows, columns)), (target, (height, width))):
        assert min(top, left) >= 0
        assert min(down, across) >= 1
        assert top + down <= size[0]
        assert left + across <= size[1]


@pytest.mark.parametrize("policy", POLICIES)
def test_the_picture_lies_where_its_placement_says(policy: str) -> None:
    picture = np.full((60, 25, 1), 9, np.uint8)
    (top, left, rows, columns), (down, across, height, width) = placement(60, 25, 20, 30, policy)
    picture[top : top + rows, left : left + columns] = 200
    result = pixels.resize(picture, 20, 30, policy)
    assert (result[down : down + height, across : across + width] == 200).all()
    assert int((result == 200).sum()) == height * width
