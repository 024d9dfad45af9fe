"""Several labels a sample. In a bundle this file is `outputs.py`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Labels:
    """See `convoy.serving.outputs.Output`; a row is a probability a label, each a question of its own.

    A label is said where its probability reaches its threshold (`thresholds` in bundle.json).
    """

    noun, key, classes = "labels", "probabilities", False

    def __init__(self, info: Mapping[str, Any]) -> None:
        self.names: list[str] = list(info["classes"])
        self.separator = str(info["preprocessing"]["separator"])
        self.head = [("labels", "string")]
        self.columns = [f"p:{name}" for name in self.names]
        self.signature = [("string", "prediction"), *(("double", name) for name in self.columns)]
        self.thresholds = np.array([info["thresholds"][name] for name in self.names], np.float64)

    def decode(self, raw: NDArray[np.float32]) -> Floats:
        """Logits (N, labels) -> sigmoid(logits)."""
        wide = raw.astype(np.float64)
        small = np.exp(-np.abs(wide))
        found: Floats = np.where(wide >= 0, 1.0, small) / (1.0 + small)
        return found

    def labels(self, row: Floats) -> list[str]:
        """Those that are said."""
        return [name for name, holds in zip(self.names, row >= self.thresholds, strict=True) if holds]

    def answer(self, row: Floats) -> dict[str, Any]:
        return {
            "prediction": self.labels(row),
            "probabilities": dict(zip(self.names, row.tolist(), strict=True)),
        }

    def row(self, row: Floats) -> dict[str, Any]:
        numbers = dict(zip(self.columns, row.tolist(), strict=True))
        return {"prediction": self.separator.join(self.labels(row)), **numbers}

    def served(self, row: Floats) -> dict[str, Any]:
        found = self.answer(row)
        return {"labels": found["prediction"], "probabilities": found["probabilities"]}

    def cells(self, row: Floats) -> list[Any]:
        return [self.separator.join(self.labels(row))]

    def said(self, row: Floats) -> tuple[str, ...]:
        return tuple(self.labels(row))

    def gap(self, expected: Floats, found: Floats) -> float:
        return float(np.abs(expected - found).max())


def of(info: Mapping[str, Any]) -> Labels:
    return Labels(info)
