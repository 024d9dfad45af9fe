"""Mixup (arXiv 1710.09412) and cutmix (arXiv 1905.04899): what is drawn for a batch.

As in the papers' own code, one weight and one partner for each sample are drawn a batch: the batch is mixed
with itself in another order. cutmix is tried first; the batches that it leaves may be mixed up. The pixels
are mixed on the device (`convoy.data.device.mixed`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_STREAM = 2**32  # beside the steps of a policy, whose streams are numbered from 0


@dataclass(frozen=True)
class Mix:
    """How one batch is mixed with itself."""

    weight: float  # of a sample's own target; the partner's is 1 - weight
    partners: NDArray[np.int64]  # (B,) a permutation
    box: tuple[int, int, int, int] | None  # x_min, y_min, x_max, y_max taken from the partner; None: blended


@dataclass(frozen=True)
class Mixing:
    """Strengths and shares; a share of 0 is off."""

    mixup_alpha: float = 0.2
    mixup_p: float = 0.0
    cutmix_alpha: float = 1.0
    cutmix_p: float = 0.0

    @classmethod
    def of(cls, policy: Mapping[str, Any]) -> Self | None:
        """From policy.json; None where neither is asked for or augmentation is not online."""
        mixup, cutmix = policy.get("mixup"), policy.get("cutmix")
        if not policy["online"] or not (mixup or cutmix):
            return None
        return cls(
            **({"mixup_alpha": mixup["alpha"], "mixup_p": mixup["p"]} if mixup else {}),
            **({"cutmix_alpha": cutmix["alpha"], "cutmix_p": cutmix["p"]} if cutmix else {}),
        )

    def __str__(self) -> str:
        kinds = {"mixup": (self.mixup_alpha, self.mixup_p), "cutmix": (self.cutmix_alpha, self.cutmix_p)}
        return " ".join(f"{name}(alpha={alpha:g}, p={p:g})" for name, (alpha, p) in kinds.items() if p)

    def each(self) -> list[Self]:
        """The kinds of mixing that are on, each alone and in every batch."""
        kinds = [replace(self, mixup_p=1.0, cutmix_p=0.0)] if self.mixup_p else []
        return [*kinds, replace(self, mixup_p=0.0, cutmix_p=1.0)] if self.cutmix_p else kinds

    def draw(self, key: int, count: int, size: tuple[int, int]) -> Mix | None:
        """What happens to a batch; None: nothing.

        Args:
            key: the batch's (`loader.batch_key`).
            count: samples in the batch.
            size: (height, width) of the images.
        """
        random = np.random.Generator(np.random.Philox(key=(key, _STREAM)))
        cut, mix = random.random(2)
        if cut < self.cutmix_p:
            return _cut(random, self.cutmix_alpha, count, size)
        if mix < self.mixup_p:
            weight = float(random.beta(self.mixup_alpha, self.mixup_alpha))
            return Mix(weight, random.permutation(count), None)
        return None


def _cut(random: np.random.Generator, alpha: float, count: int, size: tuple[int, int]) -> Mix:
    """A box round a uniform centre, cut off at the edges; the weight is the share of pixels that stay."""
    height, width = size
    kept = float(random.beta(alpha, alpha))
    side = np.sqrt(1 - kept)
    half_width, half_height = int(width * side) // 2, int(height * side) // 2
    x, y = int(random.integers(width)), int(random.integers(height))
    left, right = max(x - half_width, 0), min(x + half_width, width)
    top, bottom = max(y - half_height, 0), min(y + half_height, height)
    weight = 1 - (right - left) * (bottom - top) / (height * width)
    return Mix(weight, random.permutation(count), (left, top, right, bottom))
