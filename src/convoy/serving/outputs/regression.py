"""Numbers, or the places of points. In a bundle this file is `outputs.py`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Numbers:
    """See `convoy.serving.outputs.Output`; a row is a value each, in the units of the training data.

    Of points a row is x and y of each, in pixels of the prepared picture (`preprocessing.spec`), the first
    one's centre at 0; an answer also holds `points`, as shares of its width and height, which are those of
    the picture that was sent where `spec.resize` is stretch.
    """

    noun, key, classes = "target", "values", False

    def __init__(self, info: Mapping[str, Any]) -> None:
        preprocessing = info["preprocessing"]
        self.names: list[str] = list(info["classes"])
        self.points: list[str] = list(preprocessing.get("points", ()))
        self.head = [] if self.points else [(name, "double") for name in self.names[:1]]
        self.columns = [f"y:{name}" for name in self.names]
        self.signature = [("double", name) for name in self.columns]
        self._mean = np.asarray(preprocessing["target"]["mean"], np.float64)
        self._std = np.asarray(preprocessing["target"]["std"], np.float64)
        if self.points:
            spec = preprocessing["spec"]
            self._sides = np.array([spec["width"], spec["height"]], np.float64)

    def decode(self, raw: NDArray[np.float32]) -> Floats:
        """Standardised numbers (N, K) -> those of the training data's units."""
        found: Floats = raw.astype(np.float64) * self._std + self._mean
        return found

    def answer(self, row: Floats) -> dict[str, Any]:
        """{"prediction": the one value, or all of them, "values": {name: value}}; of points also "points"."""
        one: Any = float(row[0]) if len(row) == 1 else row.tolist()
        return {"prediction": one, **self.served(row)}

    def row(self, row: Floats) -> dict[str, Any]:
        return dict(zip(self.columns, row.tolist(), strict=True))

    def served(self, row: Floats) -> dict[str, Any]:
        values = {"values": dict(zip(self.names, row.tolist(), strict=True))}
        if not self.points:
            return values
        shares = (row.reshape(-1, 2) + 0.5) / self._sides
        return {**values, "points": dict(zip(self.points, shares.tolist(), strict=True))}

    def cells(self, row: Floats) -> list[Any]:
        return list(row[: len(self.head)].tolist())

    def said(self, row: Floats) -> tuple[float, ...]:
        """Standardised numbers that agree to 1e-3 are the same answer."""
        return tuple(np.round((row - self._mean) / self._std, 3).tolist())

    def gap(self, expected: Floats, found: Floats) -> float:
        """In deviations of the training data, so that it means the same in any unit."""
        return float((np.abs(expected - found) / self._std).max())


def of(info: Mapping[str, Any]) -> Numbers:
    return Numbers(info)
