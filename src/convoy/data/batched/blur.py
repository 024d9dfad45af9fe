"""GaussianBlur."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from convoy.data.batched._base import Drawn, Floats, Form, Images, Random, Shape, choose, uniform

_REACH = 3.5  # standard deviations that a kernel of automatic size covers, as Pillow's does


@dataclass(frozen=True)
class Blurred(Drawn):
    kernels: list[Floats]  # n of them, (size,), size odd, sum 1


class GaussianBlurForm(Form[Blurred]):
    def draw(self, shape: Shape, random: Random) -> Blurred:
        chosen = choose(self.transform, shape, random)
        sigma = uniform(random, self.transform.sigma_limit, len(chosen))
        low, high = self.transform.blur_limit
        sizes = random.integers(low, high + 1, len(chosen))
        return Blurred(
            chosen, [kernel(s, size) for s, size in zip(sigma.tolist(), sizes.tolist(), strict=True)]
        )

    def pixels(self, images: Images, drawn: Blurred) -> Images:
        for number, line in zip(drawn.chosen, drawn.kernels, strict=True):
            blurred = cv2.sepFilter2D(images[number], -1, line, line)
            images[number] = blurred.reshape(images.shape[1:])
        return images


def kernel(sigma: float, size: int) -> Floats:
    """A Gaussian of odd length; of automatic length where `size` is 0."""
    length = int(sigma * _REACH) * 2 + 1 if size == 0 else size + (size + 1) % 2
    if sigma == 0:
        point: Floats = np.eye(1, length, length // 2)[0]
        return point
    x = np.arange(length) - length // 2
    line = np.exp(-0.5 * (x / sigma) ** 2)
    result: Floats = line / line.sum()
    return result


def of_gaussian_blur(transform: Any) -> GaussianBlurForm:
    return GaussianBlurForm(transform)
