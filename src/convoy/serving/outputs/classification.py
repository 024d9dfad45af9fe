"""One class a sample. In a bundle this file is `outputs.py`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Classes:
    """See `convoy.serving.outputs.Output`; a row is a calibrated probability a class."""

    noun, key, classes = "class", "probabilities", True

    def __init__(self, info: Mapping[str, Any]) -> None:
        self.names: list[str] = list(info["classes"])
        self.head = [("label", "string"), ("probability", "double")]
        self.columns = [f"p:{name}" for name in self.names]
        self.signature = [("string", "prediction"), ("double", "confidence")]
        self.signature += [("double", name) for name in self.columns]
        self.temperature = temperature(info)

    def decode(self, raw: NDArray[np.float32]) -> Floats:
        """Logits (N, classes) -> softmax(logits / temperature)."""
        return softmax(raw, self.temperature)

    def answer(self, row: Floats) -> dict[str, Any]:
        return {
            "prediction": self.names[int(row.argmax())],
            "probabilities": dict(zip(self.names, row.tolist(), strict=True)),
        }

    def row(self, row: Floats) -> dict[str, Any]:
        numbers = dict(zip(self.columns, row.tolist(), strict=True))
        return {"prediction": self.names[int(row.argmax())], "confidence": float(row.max()), **numbers}

    def served(self, row: Floats) -> dict[str, Any]:
        label, probability = self.cells(row)
        return {
            "label": label,
            "probability": probability,
            "probabilities": dict(zip(self.names, row.tolist(), strict=True)),
        }

    def cells(self, row: Floats) -> list[Any]:
        return [self.names[int(row.argmax())], float(row.max())]

    def said(self, row: Floats) -> int:
        return int(row.argmax())

    def gap(self, expected: Floats, found: Floats) -> float:
        return float(np.abs(expected - found).max())


def of(info: Mapping[str, Any]) -> Classes:
    return Classes(info)


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> Floats:
    """Rows that sum to 1."""
    shifted = (logits.astype(np.float64) - logits.max(axis=1, keepdims=True)) / temperature
    exponentials = np.exp(shifted)
    total: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return total


def temperature(info: Mapping[str, Any]) -> float:
    """1 for bundles that were made without calibration.

    Raises:
        ValueError: it is no positive number.
    """
    value = (info.get("calibration") or {}).get("temperature", 1.0)
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"temperature {value!r} is no positive number")
    return float(value)
