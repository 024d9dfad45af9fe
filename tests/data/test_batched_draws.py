"""Batch forms against albumentations: the same distributions of what is drawn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from convoy.data.batched.symmetries import ELEMENTS
from tests.data.forms import CASES, IDS, build, form, random

Case = tuple[str, dict[str, Any]]
Table = NDArray[np.float64]  # (draws, quantities)

COUNT = 3000
SHAPE = (COUNT, 24, 32, 3)
SMALLEST_P = 1e-4  # over some 100 comparisons with fixed seeds


def _holes(holes: NDArray[np.int64], owners: NDArray[np.int64], count: int) -> Table:
    """Number and total area of the holes of each draw, and mean place and sides of each one's first."""
    areas = (holes[:, 2] - holes[:, 0]) * (holes[:, 3] - holes[:, 1])
    number = np.bincount(owners, minlength=count)
    first = np.zeros((count, 4))
    first[owners[::-1]] = holes[::-1]
    return np.column_stack([number, np.bincount(owners, areas, minlength=count), first])


OURS: dict[str, Callable[[Any], Table]] = {
    "matrices": lambda drawn: drawn.matrices[:, :2].reshape(len(drawn.chosen), 6),
    "boxes": lambda drawn: drawn.boxes,
    "jitter": lambda drawn: np.column_stack([drawn.factors, drawn.order]),
    "kernels": lambda drawn: np.array([[len(k), k.max()] for k in drawn.kernels]),
    "holes": lambda drawn: _holes(
        drawn.holes, np.searchsorted(drawn.chosen, drawn.owners), len(drawn.chosen)
    ),
}
THEIRS: dict[str, Callable[[list[dict[str, Any]]], Table]] = {
    "matrices": lambda drawn: np.stack([d["matrix"][:2].ravel() for d in drawn]),
    "boxes": lambda drawn: np.array([d["crop_coords"] for d in drawn]),
    "jitter": lambda drawn: np.array(
        [[d["brightness"], d["contrast"], d["saturation"], d["hue"], *d["order"]] for d in drawn]
    ),
    "kernels": lambda drawn: np.array([[len(d["kernel"]), d["kernel"].max()] for d in drawn]),
    "holes": lambda drawn: _holes(
        np.concatenate([d["holes"] for d in drawn]),
        np.repeat(np.arange(len(drawn)), [len(d["holes"]) for d in drawn]),
        len(drawn),
    ),
}
KINDS = {
    "Affine": "matrices",
    "ShiftScaleRotate": "matrices",
    "Rotate": "matrices",
    "SafeRotate": "matrices",
    "RandomResizedCrop": "boxes",
    "RandomCrop": "boxes",
    "ColorJitter": "jitter",
    "GaussianBlur": "kernels",
    "CoarseDropout": "holes",
    "Erasing": "holes",
}
DRAWING = [(case, name) for case, name in zip(CASES, IDS, strict=True) if case[0] in KINDS]


def theirs(case: Case) -> list[dict[str, Any]]:
    transform = build(case)
    transform.set_random_seed(3)
    data = {"image": np.zeros(SHAPE[1:], np.uint8)}
    found = []
    for _ in range(COUNT):
        numbers = transform.get_params()
        found.append({**numbers, **transform.get_params_dependent_on_data({"shape": SHAPE[1:]}, data)})
    return found


@pytest.mark.parametrize("case", [case for case, _ in DRAWING], ids=[name for _, name in DRAWING])
def test_numbers_are_drawn_from_the_distribution_that_albumentations_draws_from(case: Case) -> None:
    kind = KINDS[case[0]]
    ours, expected = OURS[kind](form(case).draw(SHAPE, random(1))), THEIRS[kind](theirs(case))
    assert ours.shape[1] == expected.shape[1]
    for quantity in range(ours.shape[1]):
        a, b = ours[:, quantity].round(9), expected[:, quantity].round(9)
        assert stats.ks_2samp(a, b).pvalue > SMALLEST_P, quantity


@pytest.mark.parametrize("name", ["RandomRotate90", "D4"])
def test_symmetries_are_equally_likely(name: str) -> None:
    drawn = form((name, {})).draw((8000, 8, 8, 1), random())
    counts = np.bincount(drawn.elements, minlength=len(ELEMENTS))
    counts = counts[:4] if name == "RandomRotate90" else counts
    assert counts.sum() == 8000
    assert stats.chisquare(counts).pvalue > SMALLEST_P


def test_the_orders_of_the_colour_adjustments_are_equally_likely() -> None:
    drawn = form(("ColorJitter", {})).draw((24_000, 8, 8, 3), random())
    _, counts = np.unique(drawn.order, axis=0, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > SMALLEST_P


def test_brightness_and_contrast_vary_within_their_limits() -> None:
    operation = form(
        ("RandomBrightnessContrast", {"brightness_limit": (-0.2, 0.1), "contrast_limit": (0, 0)})
    )
    shift = operation(np.full((2000, 1, 1, 1), 100, np.uint8), random()).ravel().astype(float) - 100
    assert shift.min() >= -52
    assert shift.max() <= 26
    assert stats.kstest(shift, stats.uniform(-51, 76.5).cdf).statistic < 0.05


def test_gamma_varies_within_its_limits() -> None:
    drawn = form(("RandomGamma", {"gamma_limit": (50, 200)})).draw((2000, 1, 1, 1), random())
    exponents = np.log(drawn.tables[:, 128] / 255 + 1 / 510) / np.log(128 / 255)
    assert stats.kstest(exponents, stats.uniform(0.5, 1.5).cdf).statistic < 0.05


@pytest.mark.parametrize("per_channel", [True, False])
def test_noise_has_the_moments_that_were_asked_for(per_channel: bool) -> None:
    arguments = {"std_range": (0.02, 0.1), "mean_range": (-0.1, 0.1), "per_channel": per_channel}
    operation = form(("GaussNoise", arguments))
    batch = np.full((200, 64, 64, 3), 128, np.uint8)
    drawn = operation.draw(batch.shape, random())
    noise = operation.pixels(batch, drawn).astype(float) - 128
    np.testing.assert_allclose(noise.mean(axis=(1, 2, 3)), 255 * drawn.mean, atol=2.5)
    np.testing.assert_allclose(noise.std(axis=(1, 2, 3)), 255 * drawn.std, rtol=0.05, atol=0.6)
    assert stats.kstest(drawn.std, stats.uniform(0.02, 0.08).cdf).pvalue > SMALLEST_P
    assert bool(np.ptp(noise, axis=3).max() > 0) is per_channel


def test_the_draws_of_affine_are_pinned() -> None:
    """A change here changes every model that is trained again: it needs a new version of the recipes'
    scores.
    """
    case: Case = (
        "Affine",
        {"rotate": (-10, 10), "scale": (0.9, 1.1), "translate_percent": (-0.08, 0.08)},
    )
    drawn = form(case, p=0.8).draw((5, 28, 28, 1), np.random.Generator(np.random.Philox(key=(1, 0))))
    np.testing.assert_array_equal(drawn.chosen, CHOSEN)
    np.testing.assert_allclose(drawn.matrices[0, :2], FIRST, atol=1e-6)


CHOSEN = [0, 2, 3]
FIRST = [[1.0164853, -0.1274845, -0.5015099], [0.1192218, 1.0869335, -2.783096]]
