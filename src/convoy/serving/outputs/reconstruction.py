"""What an autoencoder answers: how badly a sample is restored, and its code. In a bundle `outputs.py`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Restored:
    """See `convoy.serving.outputs.Output`; a row is the error, which is the anomaly score, then the code.

    The error is the mean squared one over the pixels, which go from 0 to 1. A sample is called anomalous
    where its error is above `threshold`, which all but a hundredth of the validation samples stay below.
    """

    noun, key, classes = "label", "values", False

    def __init__(self, info: Mapping[str, Any]) -> None:
        spec, size = info["preprocessing"]["spec"], int(info["params"]["model"]["code_size"])
        self.names: list[str] = list(info["classes"])
        self.head = [("error", "double"), ("anomalous", "string")]
        self.columns = ["error", *(f"e:{number}" for number in range(size))]
        self.signature = [("double", name) for name in self.columns]
        self.threshold = float(info["anomaly"]["threshold"])
        self._shape = int(spec["channels"]), int(spec["height"]), int(spec["width"])

    def decode(self, raw: NDArray[np.float32]) -> Floats:
        """What the network gives (N, 1 + K + P) -> (N, 1 + K)."""
        if not len(raw):
            return np.zeros((0, len(self.columns)))
        return raw[:, : len(self.columns)].astype(np.float64)

    def pictures(self, raw: NDArray[np.float32]) -> NDArray[np.uint8]:
        """The reconstructions in what the network gives: (N, H, W, C)."""
        pixels = raw[:, len(self.columns) :].reshape(-1, *self._shape).transpose(0, 2, 3, 1)
        return np.rint(pixels * 255).astype(np.uint8)

    def answer(self, row: Floats) -> dict[str, Any]:
        """{"prediction": the error, "values": {"error"}, "anomalous", "embedding"}."""
        return {"prediction": float(row[0]), **self.served(row)}

    def row(self, row: Floats) -> dict[str, Any]:
        return dict(zip(self.columns, row.tolist(), strict=True))

    def served(self, row: Floats) -> dict[str, Any]:
        error, *code = row.tolist()
        return {"values": {"error": error}, "anomalous": error > self.threshold, "embedding": code}

    def cells(self, row: Floats) -> list[Any]:
        return [float(row[0]), "yes" if row[0] > self.threshold else "no"]

    def said(self, row: Floats) -> tuple[float, ...]:
        return tuple(np.round(row, 3).tolist())

    def gap(self, expected: Floats, found: Floats) -> float:
        """Of the code relative to its numbers, where these are above 1."""
        return float((np.abs(expected - found) / np.maximum(np.abs(expected), 1.0)).max())


def of(info: Mapping[str, Any]) -> Restored:
    return Restored(info)
