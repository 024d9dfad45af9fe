"""The device forms on torch's CPU device, against the CPU forms with the same drawn numbers."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from convoy.data.augment import Policy
from convoy.data.device import policy as device_policy
from convoy.data.device.policy import DevicePolicy
from convoy.errors import ConfigError
from tests.data.forms import CASES, IDS, form, random, smooth

Case = tuple[str, dict[str, Any]]


def able(case: Case) -> bool:
    return device_policy.has_form(form(case))


ABLE = [(case, name) for case, name in zip(CASES, IDS, strict=True) if able(case)]
every_able_case = pytest.mark.parametrize("case", [case for case, _ in ABLE], ids=[name for _, name in ABLE])


def on_device(case: Case, batch: Any, seed: int = 1, p: float = 1.0) -> tuple[Any, Any]:
    """(batch by the CPU form, batch by the device form), of the same numbers."""
    ours = form(case, p)
    drawn = ours.draw(batch.shape, random(seed))
    expected = ours.pixels(batch.copy(), drawn)
    return expected, device_policy.pixels(ours, torch.from_numpy(batch.copy()), drawn).numpy()


def test_nearly_all_cases_have_a_device_form() -> None:
    without = [name for case, name in zip(CASES, IDS, strict=True) if not able(case)]
    assert without == ["RandomResizedCrop-16", "RandomResizedCrop-17"]  # cubic, and area


@every_able_case
@pytest.mark.parametrize("channels", [1, 3])
def test_the_device_computes_the_pixels_of_the_cpu(case: Case, channels: int) -> None:
    if case[0] == "GaussNoise":
        pytest.skip("other noise: see its own test")
    expected, result = on_device(case, smooth(32, channels=channels))
    assert result.dtype == np.uint8
    apart = np.abs(result.astype(int) - expected)
    most = {"ColorJitter": 24, "RandomResizedCrop": 2}.get(
        case[0], 1
    )  # a step of 2 degrees of hue is visible
    assert apart.max() <= most
    assert apart.mean() <= (0.2 if case[0] in ("ColorJitter", "RandomResizedCrop") else 0.01)


@every_able_case
def test_samples_that_were_not_chosen_stay_to_the_last_bit(case: Case) -> None:
    batch = smooth(64, 12, 12)
    case = (case[0], {**case[1], "size": (12, 12)}) if "size" in case[1] else case
    if case[0] in ("Pad", "RandomCrop"):
        pytest.skip("changes the size of all or of none")
    ours = form(case, p=0.4)
    drawn = ours.draw(batch.shape, random(2))
    result = device_policy.pixels(ours, torch.from_numpy(batch.copy()), drawn).numpy()
    others = np.setdiff1d(np.arange(64), drawn.chosen)
    assert 0 < len(others) < 64
    np.testing.assert_array_equal(result[others], batch[others])


@pytest.mark.parametrize("border", [cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101])
@pytest.mark.parametrize("interpolation", [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA])
def test_every_border_and_interpolation_is_opencvs(border: int, interpolation: int) -> None:
    arguments = {"rotate": (-60, 60), "scale": (0.6, 1.4), "border_mode": border, "fill": (5, 90, 250)}
    expected, result = on_device(
        ("Affine", {**arguments, "interpolation": interpolation}), smooth(16, height=20, width=26)
    )
    assert np.abs(result.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("per_channel", [True, False])
def test_noise_of_the_device_has_the_same_moments(per_channel: bool) -> None:
    case: Case = ("GaussNoise", {"std_range": (0.05, 0.1), "per_channel": per_channel})
    batch = np.full((32, 48, 48, 3), 128, np.uint8)
    expected, result = on_device(case, batch)
    np.testing.assert_allclose(result.std(axis=(1, 2, 3)), expected.std(axis=(1, 2, 3)), rtol=0.08)
    np.testing.assert_allclose(result.mean(axis=(1, 2, 3)), 128, atol=3)
    assert bool(np.ptp(result.astype(int), axis=3).max() > 0) is per_channel


POLICY = [
    {"name": "Pad", "padding": 2},
    {"name": "RandomCrop", "height": 24, "width": 24},
    {"name": "Affine", "rotate": [-15, 15], "p": 0.7},
    {"name": "HorizontalFlip", "p": 0.5},
    {"name": "RandomResizedCrop", "scale": [0.5, 1.0], "p": 0.5},
    {"name": "ColorJitter", "hue": [0, 0], "p": 0.5},
    {"name": "CoarseDropout", "p": 0.5},
]


def test_a_whole_policy_draws_the_numbers_that_the_cpu_draws() -> None:
    """The pixels then differ by rounding alone, over seven steps."""
    batch = smooth(64)
    policy = Policy(POLICY)
    ours = device_policy.of(policy)
    assert ours is not None
    result = ours(torch.from_numpy(batch), 9).numpy()
    apart = np.abs(result.astype(int) - policy(batch, 9))
    assert apart.mean() < 0.3
    assert np.quantile(apart, 0.999) <= 4
    np.testing.assert_array_equal(ours(torch.from_numpy(batch), 9).numpy(), result)
    assert not np.array_equal(ours(torch.from_numpy(batch), 10).numpy(), result)


def test_the_given_batch_stays_as_it_was() -> None:
    ours = device_policy.of(Policy([*POLICY, {"name": "GaussNoise", "p": 1.0}, {"name": "ToGray", "p": 0.5}]))
    assert ours is not None
    batch = torch.from_numpy(smooth(16))
    before = batch.clone()
    result = ours(batch, 1)
    assert torch.equal(batch, before)
    assert result.dtype == torch.uint8
    assert result.shape == batch.shape
    assert result.is_contiguous()


def test_a_policy_with_a_transform_of_albumentations_own_stays_on_the_cpu() -> None:
    assert device_policy.of(Policy([{"name": "HorizontalFlip"}, {"name": "CLAHE"}])) is None
    assert device_policy.of(Policy([{"name": "RandomResizedCrop", "interpolation": 2}])) is None
    assert device_policy.of(Policy([{"name": "Affine", "border_mode": cv2.BORDER_WRAP}])) is None


def test_an_empty_policy_changes_nothing() -> None:
    batch = torch.from_numpy(smooth(4))
    assert torch.equal(DevicePolicy([])(batch, 0), batch)


def test_a_policy_that_changes_the_size_is_refused() -> None:
    ours = device_policy.of(Policy([{"name": "Pad", "padding": 1}]))
    assert ours is not None
    with pytest.raises(ConfigError, match="turns"):
        ours(torch.from_numpy(smooth(2)), 0)
