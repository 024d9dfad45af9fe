import re
from typing import Any

import grimp
import numpy as np
import pytest
from numpy.typing import NDArray

from convoy.data.augment import Policy
from convoy.errors import ConfigError
from tests.data.forms import smooth
from tests.toys import images

TURN = {"name": "Affine", "rotate": [-40, 40], "p": 1.0}
FLIP = {"name": "HorizontalFlip", "p": 1.0}
TILE = {"name": "GridDistortion", "p": 1.0}  # has no batch form; moves points and masks
OPTICAL = {"name": "OpticalDistortion", "p": 1.0}


def pointed(count: int = 6) -> dict[str, NDArray[Any]]:
    """A batch whose keypoints and masks mark what the pictures show: three bright spots."""
    pixels = np.zeros((count, 32, 32, 1), np.uint8)
    keypoints = np.zeros((count, 4, 3), np.float32)
    spots = np.random.default_rng(0).integers(6, 26, (count, 3, 2))
    for number, places in enumerate(spots):
        for which, (x, y) in enumerate(places):
            pixels[number, y - 1 : y + 2, x - 1 : x + 2] = 250 - 60 * which
            keypoints[number, which] = (x, y, 2)
    return {"images": pixels, "keypoints": keypoints, "masks": (pixels[..., 0] > 0).astype(np.uint8)}


def test_the_adapter_alone_imports_albumentations() -> None:
    graph = grimp.build_graph("convoy", include_external_packages=True)
    importers = graph.find_modules_that_directly_import("albumentations")
    assert importers == {"convoy.data.augment"}
    assert "albucore" not in graph.modules


@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_seed_gives_the_same_batch(channels: int) -> None:
    batch = images(6, channels=channels)
    policy = Policy([{**TURN, "rotate": [-20, 20]}, {"name": "GaussNoise", "p": 0.5}, TILE])
    first, again, other = policy(batch, 5), policy(batch, 5), policy(batch, 6)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == batch.shape
    assert first.dtype == np.uint8


@pytest.mark.parametrize("transform", [TURN, {"name": "ElasticTransform", "alpha": 30, "p": 1.0}])
def test_samples_of_one_batch_are_changed_differently(transform: dict[str, Any]) -> None:
    batch = np.repeat(images(1), 4, axis=0)
    result = Policy([transform])(batch, 0)
    assert len({image.tobytes() for image in result}) == 4


@pytest.mark.parametrize("transform", [TURN, {"name": "InvertImg", "p": 1.0}])
def test_the_given_batch_stays_as_it_was(transform: dict[str, Any]) -> None:
    batch = pointed()
    before = {name: values.copy() for name, values in batch.items()}
    Policy([transform])(batch["images"], 0)
    Policy([transform])(batch, 0)
    for name, values in batch.items():
        np.testing.assert_array_equal(values, before[name])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "Afine"}, "has no transform 'Afine'; did you mean 'Affine'"),
        ({"name": "Affine", "rotat": 3}, "no argument 'rotat'; did you mean 'rotate'"),
        ({"name": "Affine", "rotate": "much"}, "Affine refuses its arguments"),
        ({"name": "GaussianBlur", "p": 3.0}, "GaussianBlur refuses its arguments"),
        ({"name": "Compose"}, "has no transform 'Compose'"),
        ({"name": "os.system"}, "has no transform 'os.system'"),
    ],
)
def test_a_wrong_policy_is_refused_with_a_reason(spec: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        Policy([spec])


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ({"name": "Resize", "height": 5, "width": 5}, "turns pictures of 12 × 12 × 1 into 5 × 5 × 1"),
        ({"name": "Pad", "padding": 2}, "turns pictures of 12 × 12 × 1 into 16 × 16 × 1"),
        ({"name": "Resize", "height": 5, "width": 5, "p": 0.5}, "Resize gives pictures of different sizes"),
        ({"name": "Normalize", "mean": [0.5], "std": [0.5]}, "Normalize turns uint8 into float32"),
        ({"name": "RandomCrop", "height": 40, "width": 40}, "RandomCrop wants 40 × 40"),
        ({"name": "RandomFog", "p": 1.0}, "RandomFog cannot work on pictures of 12 × 12 × 1"),
        ({"name": "MaskDropout", "p": 1.0}, "MaskDropout cannot work on pictures of 12 × 12 × 1"),
    ],
)
def test_a_policy_that_does_not_fit_the_pictures_is_refused(transform: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        Policy([{"p": 1.0, **transform}])(images(12), 0)
    assert caught.value.where == "params.yaml: augment.transforms"
    assert caught.value.fix


def test_sizes_may_change_on_the_way() -> None:
    padded = [{"name": "Pad", "padding": 2}, {"name": "RandomCrop", "height": 12, "width": 12}]
    scaled = [{"name": "RandomScale", "scale_limit": [0.5, 0.5], "p": 1.0}]
    assert Policy(padded)(images(4), 0).shape == (4, 12, 12, 1)
    back = [*scaled, {"name": "Resize", "height": 12, "width": 12, "p": 1.0}]
    assert Policy(back)(images(4), 0).shape == (4, 12, 12, 1)


def test_a_random_resized_crop_may_do_without_its_size() -> None:
    crop = {"name": "RandomResizedCrop", "scale": [0.3, 0.6]}
    batch = smooth(8, 20, 30)
    result = Policy([crop])(batch, 0)
    np.testing.assert_array_equal(result, Policy([{**crop, "size": [20, 30]}])(batch, 0))
    assert not np.array_equal(result, batch)


def test_the_specs_are_kept_as_they_were_given() -> None:
    policy = Policy([TURN, {"name": "RandomResizedCrop"}])
    assert policy.specs == [TURN, {"name": "RandomResizedCrop"}]


def test_a_policy_has_forms_if_all_its_transforms_have_one() -> None:
    assert [type(form).__name__ for form in Policy([TURN, FLIP]).forms or []] == [
        "AffineForm", "SymmetryForm",
    ]  # fmt: skip
    assert Policy([]).forms == []
    assert Policy([TURN, TILE]).forms is None


@pytest.mark.parametrize("transforms", [[TURN], [FLIP], [OPTICAL], [TURN, OPTICAL, FLIP]])
def test_keypoints_and_masks_stay_on_what_they_mark(transforms: list[dict[str, Any]]) -> None:
    batch = pointed()
    result = Policy(transforms)(batch, 3)
    assert {name: values.shape for name, values in result.items()} == {
        name: values.shape for name, values in batch.items()
    }
    assert not np.array_equal(result["keypoints"], batch["keypoints"])
    for picture, points, mask in zip(result["images"], result["keypoints"], result["masks"], strict=True):
        seen = points[points[:, 2] > 0]
        assert len(seen) > 0
        for x, y, _ in seen:
            column, row = int(np.clip(round(x), 1, 30)), int(np.clip(round(y), 1, 30))
            assert picture[row - 1 : row + 2, column - 1 : column + 2].max() > 60
            assert mask[row - 1 : row + 2, column - 1 : column + 2].any()


def test_the_pixels_are_those_of_a_batch_without_keypoints() -> None:
    batch = pointed()
    for transforms in ([TURN, FLIP], [OPTICAL]):
        alone = Policy(transforms)(batch["images"], 3)
        np.testing.assert_array_equal(Policy(transforms)(batch, 3)["images"], alone)


def test_what_else_a_batch_holds_is_handed_on() -> None:
    batch = {"images": images(3), "target": np.arange(3), "id": np.array([b"a", b"b", b"c"])}
    result = Policy([TURN, TILE])(batch, 0)
    assert result["target"] is batch["target"]
    assert result["id"] is batch["id"]


@pytest.mark.parametrize("name", ["Affine", "OpticalDistortion"])
def test_points_without_a_label_stay_and_points_outside_lose_theirs(name: str) -> None:
    batch = pointed()
    shift = {"name": "Affine", "translate_px": {"x": [16, 16], "y": [0, 0]}, "p": 1.0}
    result = Policy([shift if name == "Affine" else OPTICAL])(batch, 0)["keypoints"]
    np.testing.assert_array_equal(result[:, 3], 0)  # the fourth is labelled nowhere
    if name == "Affine":
        moved = batch["keypoints"][:, :3, 0] + 16
        np.testing.assert_array_equal(result[:, :3, 2], np.where(moved < 32, 2, 0))


def test_a_point_that_left_is_not_brought_back() -> None:
    away = {"name": "Affine", "translate_px": {"x": [30, 30], "y": [0, 0]}, "p": 1.0}
    back = {"name": "Affine", "translate_px": {"x": [-30, -30], "y": [0, 0]}, "p": 1.0}
    assert Policy([away, back])(pointed(), 0)["keypoints"][:, :, 2].max() == 0


def test_mirrored_pictures_exchange_the_names_of_left_and_right() -> None:
    batch = pointed()
    mirror = [1, 0, 2, 3]
    plain, named = Policy([FLIP])(batch, 0), Policy([FLIP], mirror=mirror)(batch, 0)
    np.testing.assert_array_equal(named["keypoints"], plain["keypoints"][:, mirror])
    turned, kept = Policy([TURN])(batch, 0), Policy([TURN], mirror=mirror)(batch, 0)
    np.testing.assert_array_equal(turned["keypoints"], kept["keypoints"])


def test_reflecting_borders_are_refused_where_they_would_multiply_keypoints() -> None:
    reflecting = {"name": "Affine", "rotate": [30, 30], "border_mode": 2, "balanced_scale": True}
    with pytest.raises(ConfigError, match="Affine adds or removes keypoints"):
        Policy([{**reflecting, "p": 1.0}])(pointed(), 0)


def test_colours_leave_keypoints_and_masks_and_need_not_know_of_them() -> None:
    batch = pointed()
    result = Policy([{"name": "InvertImg", "p": 1.0}])(batch, 0)
    np.testing.assert_array_equal(result["images"], 255 - batch["images"])
    assert result["keypoints"] is batch["keypoints"]
    np.testing.assert_array_equal(result["masks"], batch["masks"])


def test_masks_of_several_channels_follow_too() -> None:
    batch = pointed()
    batch["masks"] = np.stack([batch["masks"], 1 - batch["masks"]], axis=-1)
    for transforms in ([TURN], [OPTICAL], [FLIP]):
        result = Policy(transforms)(batch, 1)["masks"]
        assert result.shape == batch["masks"].shape
        alone = Policy(transforms)({**batch, "masks": batch["masks"][..., 0]}, 1)["masks"]
        np.testing.assert_array_equal(result[..., 0], alone)


def test_pictures_without_any_labelled_point_pass() -> None:
    batch = pointed()
    batch["keypoints"][:, :, 2] = 0
    np.testing.assert_array_equal(Policy([OPTICAL, TURN])(batch, 0)["keypoints"], batch["keypoints"])
