"""What predictors know of a modality: one module each, which travels with the bundle as `inputs.py`.

of(preprocessing) -> Input      from bundle.json's "preprocessing"; ValueError where it does not fit
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from convoy import plugins
from convoy.errors import ConfigError


class Input(Protocol):
    """From what somebody sends to what the network takes.

    One whose samples are rows of a table has, besides, `columns` (their names) and `frame(table)` (the rows
    of a pandas table as contents); `column` is what a row is called.

    Attributes:
        name: of the network's input. shape: of one sample there, None where a side is free.
        column, mlflow_type: of tables that hold samples (MLflow's pyfunc, `/invocations`).
        spec: how samples are prepared, all of it: two inputs with equal ones prepare alike.
        BAD: what `prepare` raises.
    """

    name: str
    shape: Sequence[int | None]
    column: str
    mlflow_type: str
    spec: dict[str, Any]
    BAD: type[Exception]

    def cell(self, value: Any) -> bytes | str:
        """What a table holds in that column -> content."""

    def value(self, content: bytes) -> bytes | str:
        """Content -> what a table holds in that column."""

    def received(self, value: Any) -> bytes:
        """What JSON or CSV holds in that column -> content.

        Raises:
            ValueError: it is something else; "not a …".
        """

    def prepare(self, content: bytes | str | Path | NDArray[Any]) -> NDArray[Any]:
        """One sample."""

    def batch(self, samples: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Samples together."""

    def join(self, batches: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """Batches together."""

    def blank(self, count: int) -> NDArray[Any]:
        """A batch of nothing, to warm up with."""

    def kind(self, content: bytes, error: Exception) -> str:
        """Why `prepare` refused: empty, oversized, unknown (no known format) or damaged."""

    def occluded(
        self, sample: NDArray[Any], loss: Callable[[Iterable[NDArray[Any]]], NDArray[Any]]
    ) -> NDArray[Any]:
        """What is lost where parts of a sample are hidden; `loss` of changed samples, one number each."""


def of(preprocessing: Mapping[str, Any]) -> Any:
    """The Input of a bundle's preprocessing.

    Raises:
        ValueError: there is no such modality, or its settings are missing.
    """
    try:
        return plugins.load("input", preprocessing.get("modality", "image")).of(preprocessing)
    except (ConfigError, KeyError, TypeError) as error:
        raise ValueError(f"the preprocessing cannot be used: {error}") from None


def schema(given: Any) -> list[tuple[Any, str]]:
    """MLflow's type and name of each column that pyfunc takes."""
    if not hasattr(given, "columns"):
        return [(given.mlflow_type, given.column)]
    from mlflow.types.schema import AnyType

    any_type: Callable[[], Any] = AnyType
    return [(any_type(), name) for name in given.columns]  # what a column may hold, the input itself checks


def as_frame(given: Any, contents: Sequence[bytes]) -> Any:
    """Contents as the pandas table that pyfunc takes."""
    import pandas as pd

    if not hasattr(given, "columns"):
        return pd.DataFrame({given.column: [given.value(content) for content in contents]})
    return pd.DataFrame([json.loads(content) for content in contents], dtype=object)
