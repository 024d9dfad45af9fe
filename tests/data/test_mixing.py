from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn.functional import cross_entropy

from convoy.data.device import mixed
from convoy.data.mixing import Mix, Mixing

MIXUP = Mixing(mixup_p=1.0)
CUTMIX = Mixing(cutmix_p=1.0)


def record(**changes: Any) -> dict[str, Any]:
    return {"online": True, "mixup": None, "cutmix": None, **changes}


def drawn(mixing: Mixing, key: int, count: int = 16, size: tuple[int, int] = (12, 20)) -> Mix:
    mix = mixing.draw(key, count, size)
    assert mix is not None
    return mix


def test_the_policy_says_what_is_mixed() -> None:
    assert Mixing.of(record()) is None
    assert Mixing.of({"online": True}) is None  # as policies were written before there was mixing
    assert Mixing.of(record(online=False, mixup={"alpha": 1.0, "p": 1.0})) is None
    assert Mixing.of(record(mixup={"alpha": 0.4, "p": 0.9})) == Mixing(mixup_alpha=0.4, mixup_p=0.9)
    assert Mixing.of(record(cutmix={"alpha": 2.0, "p": 0.3})) == Mixing(cutmix_alpha=2.0, cutmix_p=0.3)


def test_mixing_names_what_is_on() -> None:
    assert str(Mixing(mixup_p=0.5, cutmix_p=1.0)) == "mixup(alpha=0.2, p=0.5) cutmix(alpha=1, p=1)"
    assert str(Mixing(cutmix_alpha=0.3, cutmix_p=1.0)) == "cutmix(alpha=0.3, p=1)"


def test_the_same_key_gives_the_same_mix_and_others_another() -> None:
    first, again, other = drawn(CUTMIX, 5), drawn(CUTMIX, 5), drawn(CUTMIX, 6)
    assert (first.weight, first.box) == (again.weight, again.box) != (other.weight, other.box)
    np.testing.assert_array_equal(first.partners, again.partners)


def test_cutmix_comes_first_and_mixup_takes_of_the_rest() -> None:
    mixing = Mixing(mixup_p=0.5, cutmix_p=0.4)
    kinds = [mixing.draw(key, 4, (8, 8)) for key in range(4000)]
    cut = sum(mix is not None and mix.box is not None for mix in kinds) / 4000
    blended = sum(mix is not None and mix.box is None for mix in kinds) / 4000
    assert cut == pytest.approx(0.4, abs=0.03)
    assert blended == pytest.approx(0.6 * 0.5, abs=0.03)


def test_each_kind_alone_is_in_every_batch() -> None:
    assert Mixing().each() == []
    kinds = Mixing(mixup_p=0.1, cutmix_p=0.1).each()
    assert [drawn(kind, key).box is None for kind in kinds for key in range(20)] == [True] * 20 + [False] * 20


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_the_weight_of_mixup_is_drawn_from_its_beta_distribution(alpha: float) -> None:
    weights = [drawn(Mixing(mixup_alpha=alpha, mixup_p=1.0), key).weight for key in range(2000)]
    assert stats.kstest(weights, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_partners_are_a_permutation() -> None:
    for mixing in (MIXUP, CUTMIX):
        partners = drawn(mixing, 1).partners
        assert sorted(partners.tolist()) == list(range(16))
        assert partners.tolist() != list(range(16))


def test_the_weight_of_cutmix_is_the_share_of_pixels_that_stay() -> None:
    images = torch.arange(16, dtype=torch.uint8).view(16, 1, 1, 1).expand(16, 12, 20, 3).contiguous()
    for key in range(50):
        mix = drawn(CUTMIX, key)
        result = mixed.images(images, mix)
        assert result.dtype == torch.uint8
        partners = torch.tensor(mix.partners)
        strange = partners != torch.arange(16)
        stayed = (result == images)[strange].float().mean().item() if strange.any() else mix.weight
        assert stayed == pytest.approx(mix.weight, abs=1e-6)
        np.testing.assert_array_equal(images[:, 0, 0, 0], np.arange(16))  # what was given stays


def test_the_boxes_of_cutmix_lie_in_the_picture_and_have_its_shape() -> None:
    boxes = np.array([drawn(CUTMIX, key).box for key in range(2000)])
    left, top, right, bottom = boxes.T
    assert (left >= 0).all()
    assert (right <= 20).all()
    assert (top >= 0).all()
    assert (bottom <= 12).all()
    whole = (left > 0) & (right < 20) & (top > 0) & (bottom < 12)
    assert ((right - left) / 20 - (bottom - top) / 12)[whole].mean() == pytest.approx(0, abs=0.05)


def test_mixup_blends_pixels_and_targets_alike() -> None:
    mix = Mix(0.25, np.array([1, 0]), None)
    images = torch.tensor([0, 200], dtype=torch.uint8).view(2, 1, 1, 1)
    torch.testing.assert_close(mixed.images(images, mix).flatten(), torch.tensor([150.0, 50.0]))
    target = mixed.target(torch.tensor([2, 0]), mix, 3)
    torch.testing.assert_close(target, torch.tensor([[0.75, 0.0, 0.25], [0.25, 0.0, 0.75]]))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_mixed_targets_is_the_papers_weighted_sum(smoothing: float) -> None:
    logits, target = torch.randn(8, 5, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 5
    mix = Mix(0.3, np.random.default_rng(0).permutation(8), None)
    ours = cross_entropy(logits, mixed.target(target, mix, 5), label_smoothing=smoothing)
    own = cross_entropy(logits, target, label_smoothing=smoothing)
    partner = cross_entropy(logits, target[torch.tensor(mix.partners)], label_smoothing=smoothing)
    torch.testing.assert_close(ours, 0.3 * own + 0.7 * partner)
