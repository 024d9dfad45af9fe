"""ColorJitter and ToGray."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from convoy.data.batched._base import (
    Drawn,
    Floats,
    Form,
    Images,
    Indices,
    Random,
    Shape,
    choose,
    uniform,
)

ADJUSTMENTS = ("brightness", "contrast", "saturation", "hue")


@dataclass(frozen=True)
class Jittered(Drawn):
    factors: Floats  # (n, 4) in the order of ADJUSTMENTS
    order: Indices  # (n, 4): which adjustment comes first, second, …


class ColorJitterForm(Form[Jittered]):
    """Brightness, contrast, saturation and hue in a random order.

    The four are not fused: each of albumentations' steps rounds and clips to 8 bits, and a product of
    matrices differs from that by more than 1 wherever a value is clipped on the way.
    """

    def draw(self, shape: Shape, random: Random) -> Jittered:
        chosen = choose(self.transform, shape, random)
        count = len(chosen)
        factors = [uniform(random, getattr(self.transform, name), count) for name in ADJUSTMENTS]
        order = random.permuted(np.tile(np.arange(len(ADJUSTMENTS)), (count, 1)), axis=1)
        return Jittered(chosen, np.stack(factors, axis=1), order)

    def pixels(self, images: Images, drawn: Jittered) -> Images:
        grey = images.shape[3] == 1
        brightness = _tables(drawn.factors[:, 0].astype(np.float32)[:, None] * _VALUES)
        hue = hue_tables(drawn.factors[:, 3])
        order = drawn.order.tolist()
        for number, which in enumerate(drawn.chosen):
            image = images[which]
            for name in (ADJUSTMENTS[step] for step in order[number]):
                if name == "brightness":
                    cv2.LUT(image, brightness[number], dst=image)
                elif name == "contrast":
                    _contrast(image, float(drawn.factors[number, 1]))
                elif name == "saturation" and not grey:
                    _saturation(image, float(drawn.factors[number, 2]))
                elif name == "hue" and not grey and drawn.factors[number, 3]:
                    _hue(image, hue[number])
        return images


def _contrast(image: Images, factor: float) -> None:
    """Away from, or towards, the mean of the grey picture; in place."""
    mean = cv2.mean(image if image.shape[2] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0]
    if factor == 0:
        image[:] = int(mean + 0.5)
    else:
        cv2.LUT(image, _tables(_VALUES * np.float32(factor) + mean * (1 - factor)), dst=image)


def _saturation(image: Images, factor: float) -> None:
    """Away from, or towards, the grey picture; in place."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    cv2.addWeighted(image, factor, grey, 1 - factor, 0, dst=image)


def _hue(image: Images, table: Images) -> None:
    """Turned round the colour circle, in place."""
    turned = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    cv2.insertChannel(cv2.LUT(cv2.extractChannel(turned, 0), table), turned, 0)
    cv2.cvtColor(turned, cv2.COLOR_HSV2RGB, dst=image)


def hue_tables(factors: Floats) -> Images:
    """(n, 256): where an 8-bit hue, degrees in twos, goes when the circle is turned by a share of it."""
    tables: Images = np.mod(np.arange(256) + 180 * factors[:, None], 180).astype(np.uint8)
    return tables


def _tables(values: NDArray[np.floating[Any]]) -> Images:
    tables: Images = np.clip(values, 0, 255).astype(np.uint8)
    return tables


_VALUES = np.arange(256, dtype=np.float32)


class ToGrayForm(Form[Drawn]):
    """Colour taken away, the three channels kept; a picture of one channel stays as it is."""

    def draw(self, shape: Shape, random: Random) -> Drawn:
        return Drawn(choose(self.transform, shape, random))

    def pixels(self, images: Images, drawn: Drawn) -> Images:
        if images.shape[3] == 1:
            return images
        for number in drawn.chosen:
            grey = cv2.cvtColor(images[number], cv2.COLOR_RGB2GRAY)
            cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB, dst=images[number])
        return images


def of_color_jitter(transform: Any) -> ColorJitterForm:
    return ColorJitterForm(transform)


def of_to_gray(transform: Any) -> ToGrayForm | None:
    plain = transform.method == "weighted_average" and transform.num_output_channels == 3
    return ToGrayForm(transform) if plain else None
