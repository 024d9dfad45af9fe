import numpy as np
import pytest

from convoy.data import statistics


def test_sums_are_those_of_whole_numbers() -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 7, 5, 3), dtype=np.uint8)
    flat = images.reshape(-1, 3).astype(np.int64)
    assert statistics.sums(images) == (flat.sum(axis=0).tolist(), (flat**2).sum(axis=0).tolist())


def test_many_pixels_are_counted_in_portions_that_stay_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 7, 5, 1), dtype=np.uint8)
    whole = statistics.sums(images)
    monkeypatch.setattr(statistics, "_MOST", 13)
    assert statistics.sums(images) == whole


def test_moments_are_exact_and_do_not_depend_on_order_or_portions() -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 7, 5, 3), dtype=np.uint8)
    whole = statistics.moments(statistics.sums(images), 300 * 35)
    turned = np.ascontiguousarray(images[::-1])
    parts = statistics.total(statistics.sums(turned[start : start + 77]) for start in range(0, 300, 77))
    assert statistics.moments(parts, 300 * 35) == whole
    scaled = images.reshape(-1, 3) / 255
    np.testing.assert_allclose(whole[0], scaled.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(whole[1], scaled.std(axis=0), rtol=1e-12)


def test_a_constant_channel_is_divided_by_one() -> None:
    images = np.zeros((4, 3, 3, 2), np.uint8)
    images[..., 1] = 51
    assert statistics.moments(statistics.sums(images), 36) == ([0.0, 0.2], [1.0, 1.0])
