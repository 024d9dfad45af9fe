"""Pictures: decoded and brought to one size. In a bundle this file is `inputs.py`, next to `pixels.py`."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data import pixels

GRID = 12  # positions of the occluding patch along a side, at most
Image = NDArray[np.uint8]


class Pictures:
    """See `convoy.serving.inputs.Input`; a sample is (H, W, C) uint8."""

    name, column, mlflow_type = "images", "image", "binary"
    BAD = pixels.UndecodableImage

    def __init__(self, preprocessing: Mapping[str, Any]) -> None:
        self.spec: dict[str, Any] = dict(preprocessing["spec"])
        self.shape = [int(self.spec[name]) for name in ("height", "width", "channels")]

    def cell(self, value: Any) -> bytes:
        return bytes(value)

    def value(self, content: bytes) -> bytes:
        return content

    def received(self, value: Any) -> bytes:
        try:
            if isinstance(value, str):
                return base64.b64decode(value, validate=True)
        except ValueError:
            pass
        raise ValueError("not a picture in base64")

    def prepare(self, content: Any) -> Image:
        if isinstance(content, Path):
            content = content.read_bytes()
        prepared: Image = pixels.prepare(content, self.spec)
        return prepared

    def batch(self, samples: Sequence[Image]) -> Image:
        return np.stack(samples)

    def join(self, batches: Sequence[Image]) -> Image:
        return np.concatenate(batches)

    def blank(self, count: int) -> Image:
        return np.zeros((count, *self.shape), np.uint8)

    def kind(self, content: bytes, error: pixels.UndecodableImage) -> str:
        """empty, oversized, unknown (no known format) or damaged."""
        if error.reason != "undecodable":
            return error.reason
        try:
            pixels.inspect(content, self.spec["max_pixels"])
        except pixels.UndecodableImage:
            return "unknown"
        return "damaged"

    def occluded(
        self, sample: Image, loss: Callable[[Iterable[Image]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """A patch in the picture's mean colour, a fifth as long as its sides, goes over a grid of at most
        12 x 12 places. A pixel's value is the mean loss over the patches that cover it: (height, width).
        """
        rows, columns = (_windows(length) for length in sample.shape[:2])
        places = [(top, left) for top in rows for left in columns]
        colour = np.rint(sample.mean(axis=(0, 1))).astype(np.uint8)
        heat, covered = np.zeros(sample.shape[:2]), np.zeros(sample.shape[:2])

        def hidden(place: tuple[slice, slice]) -> Image:
            picture = sample.copy()
            picture[place] = colour
            return picture

        for lost, place in zip(loss(map(hidden, places)), places, strict=True):
            heat[place] += lost
            covered[place] += 1
        return np.maximum(heat / covered, 0)


def of(preprocessing: Mapping[str, Any]) -> Pictures:
    return Pictures(preprocessing)


def _windows(length: int) -> list[slice]:
    """Up to GRID places of a patch along one side; together they cover it all."""
    patch = max(1, -(-length // 5))
    starts = np.unique(np.linspace(0, length - patch, min(GRID, length)).round().astype(int))
    return [slice(start, start + patch) for start in starts.tolist()]
