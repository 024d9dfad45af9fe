"""Rows by column, as features. In a bundle this file is `inputs.py`, next to `cells.py`."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data.modalities.table import cells

Row = NDArray[np.float64]


class Table:
    """See `convoy.serving.inputs.Input`; a sample is (cells,), the batch (N, features).

    Attributes:
        columns: that a row must have, in their order.
        kinds: what each holds.
    """

    name, column, mlflow_type = "features", "row", "string"
    BAD = cells.BadRow

    def __init__(self, preprocessing: Mapping[str, Any]) -> None:
        self.spec: dict[str, Any] = dict(preprocessing["spec"])
        self._rows = cells.Rows(self.spec)
        self._transform = cells.Transformer(self.spec)
        self._width = len(self.spec["numbers"])
        self.columns = self._rows.columns
        self.kinds: dict[str, str] = {each["name"]: each["kind"] for each in self.spec["columns"]}
        self.shape: Sequence[int | None] = [self._transform.features]

    def cell(self, value: Any) -> str:
        return str(value)

    def value(self, content: bytes) -> str:
        return content.decode("utf-8")

    def received(self, value: Any) -> bytes:
        """JSON of an object with a value for each column.

        Raises:
            ValueError: it is none; "not a row: …".
        """
        if not isinstance(value, dict):
            raise ValueError("not a row: not an object with a value for each column")
        try:
            self._rows.expect(list(value))
        except cells.BadRow as error:
            raise ValueError(f"not a row: {error}") from None
        return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")

    def frame(self, table: Any) -> list[bytes]:
        """The rows of a pandas table.

        Raises:
            BadRow: a column is missing.
        """
        self._rows.expect([str(name) for name in table.columns])
        columns = [table[name].tolist() for name in self.columns]
        rows = (dict(zip(self.columns, row, strict=True)) for row in zip(*columns, strict=True))
        return [
            json.dumps(
                {name: None if value is None or value != value else value for name, value in row.items()},
                ensure_ascii=False,
                default=str,
            ).encode("utf-8")
            for row in rows
        ]

    def prepare(self, content: Any) -> Row:
        if isinstance(content, np.ndarray):  # prepared before
            return content
        if isinstance(content, Path):
            content = content.read_bytes()
        record = content if isinstance(content, dict) else self._rows.record(content)
        return self._rows.cells(record)

    def batch(self, samples: Sequence[Row]) -> NDArray[np.float32]:
        return self._transform(np.stack(samples))

    def join(self, batches: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.concatenate(batches)

    def blank(self, count: int) -> NDArray[np.float32]:
        """Rows in which everything is missing."""
        return self.batch([self._nothing()] * count)

    def kind(self, content: bytes, error: cells.BadRow) -> str:  # noqa: ARG002  # the contract of all modalities
        return "empty" if error.reason == "empty" else "damaged"

    def occluded(
        self, sample: Row, loss: Callable[[Iterable[Row]], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Each cell is missing in turn: (numbers + categories,)."""
        nothing = self._nothing()

        def hidden(place: int) -> Row:
            other = sample.copy()
            other[place] = nothing[place]
            return other

        return np.maximum(loss(map(hidden, range(len(sample)))), 0)

    def _nothing(self) -> Row:
        codes = len(self.spec["categories"])
        return np.concatenate([np.full(self._width, np.nan), np.full(codes, float(cells.MISSING))])


def of(preprocessing: Mapping[str, Any]) -> Table:
    return Table(preprocessing)
