"""The numbers by which pictures are compared, against their definitions."""

import numpy as np
import pytest

from convoy.data import appearance


def test_measures_are_what_their_names_say() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 7, 6, 3), dtype=np.uint8)
    found = appearance.measures(pictures)
    values = pictures.astype(np.float64)
    grey = values.mean(axis=3)
    inner = grey[:, 1:-1, 1:-1]
    laplacian = (
        grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:] - 4 * inner
    )  # fmt: skip
    saturation = values.max(axis=3) - values.min(axis=3)
    assert found["brightness"] == pytest.approx(values.mean(axis=(1, 2, 3)))
    assert found["contrast"] == pytest.approx(grey.std(axis=(1, 2)))
    assert found["sharpness"] == pytest.approx(laplacian.var(axis=(1, 2)))
    assert found["saturation"] == pytest.approx(saturation.mean(axis=(1, 2)))


def test_grey_pictures_have_no_saturation_and_flat_ones_no_contrast() -> None:
    found = appearance.measures(np.full((2, 4, 4, 1), 200, np.uint8))
    assert set(found) == {"brightness", "contrast", "sharpness"}
    assert found["brightness"].tolist() == [200.0, 200.0]
    assert found["contrast"].tolist() == found["sharpness"].tolist() == [0.0, 0.0]


def test_pictures_too_small_for_a_laplacian_have_sharpness_0() -> None:
    assert appearance.measures(np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1))["sharpness"].tolist() == [
        0,
        0,
    ]


def test_one_picture_at_a_time_gives_the_same_bits_as_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server looks at one, `package` at thousands."""
    pictures = np.random.default_rng(1).integers(0, 256, (33, 9, 9, 3), dtype=np.uint8)
    together = appearance.measures(pictures)
    for name, values in together.items():
        assert values.tolist() == [float(appearance.measures(p[None])[name][0]) for p in pictures]
    monkeypatch.setattr(appearance, "_PIXELS", 500)  # in several parts
    assert all((appearance.measures(pictures)[name] == together[name]).all() for name in together)


def test_no_pictures_have_no_measures() -> None:
    assert appearance.measures(np.zeros((0, 5, 5, 1), np.uint8))["brightness"].shape == (0,)
