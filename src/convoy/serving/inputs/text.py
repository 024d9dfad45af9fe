"""Texts: normalised, cut into tokens, as ids. In a bundle this file is `inputs.py`, next to `tokens.py`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data.modalities.text import tokens

Ids = NDArray[np.integer[Any]]


class BadText(ValueError):
    """The content is no text with a token in it. `reason` is empty or undecodable."""

    def __init__(self, detail: str, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Texts:
    """See `convoy.serving.inputs.Input`; a sample is (length,) of token ids.

    Raises:
        ValueError: the text is segmented by rjieba, which is not installed.
    """

    name, column, mlflow_type = "tokens", "text", "string"
    shape: Sequence[int | None] = [None]
    BAD = BadText

    def __init__(self, preprocessing: Mapping[str, Any]) -> None:
        vocabulary = preprocessing["vocabulary"]
        self.spec: dict[str, Any] = {**preprocessing["spec"], "vocabulary": vocabulary}
        try:
            self._encode = tokens.Encoder(preprocessing["spec"], vocabulary)
        except ImportError as error:
            raise ValueError(str(error)) from None

    def cell(self, value: Any) -> str:
        return str(value)

    def value(self, content: bytes) -> str:
        return content.decode("utf-8")

    def received(self, value: Any) -> bytes:
        if not isinstance(value, str):
            raise ValueError("not a text")
        return value.encode("utf-8")

    def prepare(self, content: Any) -> Ids:
        if isinstance(content, np.ndarray):  # prepared before
            return content
        if isinstance(content, Path):
            content = content.read_bytes()
        try:
            text = content.decode("utf-8-sig") if isinstance(content, bytes) else str(content)
        except UnicodeDecodeError as error:
            raise BadText(f"byte {error.start} is not UTF-8", "undecodable") from None
        try:
            return self._encode(text)
        except tokens.NoTokens as error:
            raise BadText(str(error), "empty") from None

    def batch(self, samples: Sequence[Ids]) -> NDArray[np.int64]:
        return tokens.batch(samples)

    def join(self, batches: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        width = max(batch.shape[1] for batch in batches)
        return np.concatenate([np.pad(batch, ((0, 0), (0, width - batch.shape[1]))) for batch in batches])

    def blank(self, count: int) -> NDArray[np.int64]:
        return np.full((count, 4), tokens.SPECIAL.index(tokens.UNKNOWN), np.int64)

    def kind(self, content: bytes, error: BadText) -> str:  # noqa: ARG002  # the contract of all modalities
        return "empty" if error.reason == "empty" else "unknown"

    def occluded(
        self, sample: Ids, loss: Callable[[Iterable[Ids]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Each token becomes unknown in turn: (length,)."""

        def hidden(place: int) -> Ids:
            other = sample.copy()
            other[place] = tokens.SPECIAL.index(tokens.UNKNOWN)
            return other

        return np.maximum(loss(map(hidden, range(len(sample)))), 0)


def of(preprocessing: Mapping[str, Any]) -> Texts:
    return Texts(preprocessing)
