"""GaussNoise."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data.batched._base import Drawn, Floats, Form, Images, Random, Shape, choose, uniform


@dataclass(frozen=True)
class Noisy(Drawn):
    std: Floats  # (n,) as a share of 255
    mean: Floats  # (n,)
    key: int  # of the noise itself, which is made where the pixels are


class GaussNoiseForm(Form[Noisy]):
    """Normal noise, its fraction cut off as albumentations does before it adds."""

    def draw(self, shape: Shape, random: Random) -> Noisy:
        chosen = choose(self.transform, shape, random)
        std = uniform(random, self.transform.std_range, len(chosen))
        mean = uniform(random, self.transform.mean_range, len(chosen))
        return Noisy(chosen, std, mean, int(random.integers(2**62)))

    def pixels(self, images: Images, drawn: Noisy) -> Images:
        random = np.random.Generator(np.random.SFC64(drawn.key))
        channels = images.shape[3] if self.transform.per_channel else 1
        for number, std, mean in zip(drawn.chosen, drawn.std.tolist(), drawn.mean.tolist(), strict=True):
            noise = random.standard_normal((*images.shape[1:3], channels), dtype=np.float32)
            noise *= np.float32(255 * std)
            noise += np.float32(255 * mean)
            images[number] = added(images[number], noise)
        return images


def added(image: Images, noise: NDArray[np.float32]) -> Images:
    """An image (H, W, C) with noise of whole values, clipped."""
    np.trunc(noise, out=noise)
    total = image + noise
    np.clip(total, 0, 255, out=total)
    return total.astype(np.uint8)


def of_gauss_noise(transform: Any) -> GaussNoiseForm | None:
    return GaussNoiseForm(transform) if transform.noise_scale_factor == 1 else None
