"""Sequences: decoded, resampled, scaled. In a bundle this file is `inputs.py`, next to `signals.py`."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data.modalities.sequence import signals

Values = NDArray[np.float32]
_PIECES = 64  # of a sequence, that are hidden in turn


class Sequences:
    """See `convoy.serving.inputs.Input`; a sample is (length, channels) of prepared values.

    Raises:
        KeyError: something that was fitted is missing.
    """

    name, column, mlflow_type = "signal", "sequence", "string"
    BAD = signals.BadSequence

    def __init__(self, preprocessing: Mapping[str, Any]) -> None:
        fitted = {name: preprocessing[name] for name in ("channels", "names", "rate", "mean", "deviation")}
        self.spec: dict[str, Any] = {**preprocessing["spec"], **fitted}  # two that are equal prepare alike
        self.shape: Sequence[int | None] = [None, int(preprocessing["channels"])]
        self._transform = signals.Transformer(preprocessing)

    def cell(self, value: Any) -> bytes:
        """JSON, as a text or as lists; CSV as a text."""
        return self.received(value)

    def value(self, content: bytes) -> str:
        """JSON or CSV as it is; WAV as JSON."""
        if content[:4] != b"RIFF":
            return content.decode("utf-8")
        signal = signals.decode(content)
        return json.dumps({"rate": signal.rate, "values": signal.values.tolist()})

    def received(self, value: Any) -> bytes:
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if isinstance(value, str):
            return value.encode("utf-8")
        if not isinstance(value, list | dict):
            raise ValueError("not a sequence: a list of numbers, or of lists of numbers (a list a time step)")
        return json.dumps(value).encode("utf-8")

    def prepare(self, content: Any) -> Values:
        """An array is a sequence as it came, (T,) or (T, C)."""
        if isinstance(content, Path):
            content = content.read_bytes()
        return self._transform(signals.decode(content))

    def batch(self, samples: Sequence[Values]) -> Values:
        return signals.batch(samples)

    def join(self, batches: Sequence[Values]) -> Values:
        width = max(batch.shape[1] for batch in batches)
        return np.concatenate(
            [
                np.pad(batch, ((0, 0), (0, width - batch.shape[1]), (0, 0)), constant_values=np.nan)
                for batch in batches
            ]
        )

    def blank(self, count: int) -> Values:
        return np.zeros((count, 16, int(self.spec["channels"])), np.float32)

    def kind(self, content: bytes, error: signals.BadSequence) -> str:  # noqa: ARG002  # the contract
        return {"empty": "empty", "undecodable": "unknown"}.get(error.reason, "damaged")

    def occluded(
        self, sample: Values, loss: Callable[[Iterable[Values]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Each piece becomes the mean of the whole in turn: (length,)."""
        edges = np.linspace(0, len(sample), min(_PIECES, len(sample)) + 1).round().astype(int)

        def hidden(piece: int) -> Values:
            other = sample.copy()
            part = slice(edges[piece], edges[piece + 1])
            other[part] = sample.mean(axis=0)
            return other

        lost = np.maximum(loss(map(hidden, range(len(edges) - 1))), 0)
        return np.repeat(lost, np.diff(edges))


def of(preprocessing: Mapping[str, Any]) -> Sequences:
    return Sequences(preprocessing)
