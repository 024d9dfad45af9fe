"""RandomBrightnessContrast and RandomGamma: a table of 256 values a picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from convoy.data.batched._base import Drawn, Floats, Form, Images, Random, Shape, choose, uniform

Tables = Callable[[Any, int, Random], Images]


@dataclass(frozen=True)
class Toned(Drawn):
    tables: Images  # (n, 256): what becomes of each value


class ToneForm(Form[Toned]):
    """Any transform that looks each value up in a table."""

    def __init__(self, transform: Any, tables: Tables) -> None:
        super().__init__(transform)
        self._tables = tables

    def draw(self, shape: Shape, random: Random) -> Toned:
        chosen = choose(self.transform, shape, random)
        return Toned(chosen, self._tables(self.transform, len(chosen), random))

    def pixels(self, images: Images, drawn: Toned) -> Images:
        for number, table in zip(drawn.chosen, drawn.tables, strict=True):
            cv2.LUT(images[number], table, dst=images[number])
        return images


def brightness_contrast(transform: Any, count: int, random: Random) -> Images:
    contrast = 1.0 + uniform(random, transform.contrast_limit, count)
    brightness = 255.0 * uniform(random, transform.brightness_limit, count)
    return lines(contrast, brightness)


def lines(factor: Floats, shift: Floats) -> Images:
    """(n, 256): what becomes of each value under value * factor + shift."""
    values = np.arange(256, dtype=np.float32)
    tables = values * factor.astype(np.float32)[:, None] + shift.astype(np.float32)[:, None]
    result: Images = np.clip(tables, 0, 255).astype(np.uint8)
    return result


def gamma(transform: Any, count: int, random: Random) -> Images:
    exponents = uniform(random, transform.gamma_limit, count) / 100.0
    result: Images = ((np.arange(256) / 255) ** exponents[:, None] * 255).astype(np.uint8)
    return result


def of_brightness_contrast(transform: Any) -> ToneForm | None:
    if not transform.brightness_by_max or transform.ensure_safe_range:
        return None
    return ToneForm(transform, brightness_contrast)


def of_gamma(transform: Any) -> ToneForm:
    return ToneForm(transform, gamma)
