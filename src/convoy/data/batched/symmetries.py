"""The eight symmetries of a square: flips, quarter turns and transposition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from convoy.data.batched._base import (
    Drawn,
    Form,
    Images,
    Indices,
    Masks,
    Points,
    Random,
    Shape,
    choose,
    moved,
)
from convoy.errors import ConfigError

# By albumentations' names: e, quarter turns against the clock, flips over both axes, over both diagonals.
ELEMENTS = ("e", "r90", "r180", "r270", "v", "hvt", "h", "t")
_SIDEWAYS = frozenset({"r90", "r270", "hvt", "t"})
_MIRRORS = frozenset({"v", "hvt", "h", "t"})

# Of one picture (H, W, C), by OpenCV: numpy takes twenty times as long to reverse pixels of three bytes.
_TURNS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "e": lambda image: image,
    "r90": lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
    "r180": lambda image: cv2.flip(image, -1),
    "r270": lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    "v": lambda image: cv2.flip(image, 0),
    "hvt": lambda image: cv2.transpose(cv2.flip(image, -1)),
    "h": lambda image: cv2.flip(image, 1),
    "t": lambda image: cv2.transpose(image),
}


@dataclass(frozen=True)
class Turned(Drawn):
    elements: Indices  # (n,) into ELEMENTS


class SymmetryForm(Form[Turned]):
    """One of some symmetries, each equally likely."""

    def __init__(self, transform: Any, among: Sequence[str]) -> None:
        super().__init__(transform)
        self.among = np.array([ELEMENTS.index(name) for name in among])
        self._sideways = not _SIDEWAYS.isdisjoint(among)

    def draw(self, shape: Shape, random: Random) -> Turned:
        if self._sideways and shape[1] != shape[2]:
            raise ConfigError(
                f"{type(self.transform).__name__} needs square pictures, these are {shape[1]} × {shape[2]}",
                where="params.yaml: augment.transforms",
                fix="set prepare.height and prepare.width alike, or leave the transform out",
            )
        chosen = choose(self.transform, shape, random)
        if len(self.among) == 1:
            return Turned(chosen, np.repeat(self.among, len(chosen)))
        return Turned(chosen, self.among[random.integers(0, len(self.among), len(chosen))])

    def pixels(self, images: Images, drawn: Turned) -> Images:
        for number, element in zip(drawn.chosen, drawn.elements.tolist(), strict=True):
            images[number] = _TURNS[ELEMENTS[element]](images[number]).reshape(images.shape[1:])
        return images

    def masks(self, masks: Masks, drawn: Turned) -> Masks:
        return self.pixels(masks, drawn)

    def points(self, points: Points, shape: Shape, drawn: Turned) -> Points:
        right, bottom = shape[2] - 1, shape[1] - 1
        matrices = np.array(
            [
                [[1, 0, 0], [0, 1, 0]],
                [[0, 1, 0], [-1, 0, right]],
                [[-1, 0, right], [0, -1, bottom]],
                [[0, -1, bottom], [1, 0, 0]],
                [[1, 0, 0], [0, -1, bottom]],
                [[0, -1, bottom], [-1, 0, right]],
                [[-1, 0, right], [0, 1, 0]],
                [[0, 1, 0], [1, 0, 0]],
            ],
            dtype=np.float64,
        )
        return moved(points, drawn.chosen, matrices[drawn.elements])

    def mirrored(self, drawn: Turned) -> Indices:
        mirrors = [number for number, name in enumerate(ELEMENTS) if name in _MIRRORS]
        return drawn.chosen[np.isin(drawn.elements, mirrors)]


def of_horizontal_flip(transform: Any) -> SymmetryForm:
    return SymmetryForm(transform, ["h"])


def of_vertical_flip(transform: Any) -> SymmetryForm:
    return SymmetryForm(transform, ["v"])


def of_transpose(transform: Any) -> SymmetryForm:
    return SymmetryForm(transform, ["t"])


def of_rotate90(transform: Any) -> SymmetryForm:
    return SymmetryForm(transform, ["e", "r90", "r180", "r270"])


def of_d4(transform: Any) -> SymmetryForm:
    return SymmetryForm(transform, ELEMENTS)
