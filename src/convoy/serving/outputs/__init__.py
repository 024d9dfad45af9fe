"""What predictors know of an objective: one module each, which travels with the bundle as `outputs.py`.

of(info) -> Output      from bundle.json; ValueError where it does not fit
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convoy import plugins
from convoy.errors import ConfigError

Floats = NDArray[np.float64]


class Output(Protocol):
    """From what the network gives to what is answered.

    Attributes:
        names: of the network's outputs.
        noun: what a target is called.
        key: what a row's numbers are called: probabilities, values.
        signature: columns of pyfunc's answer: (MLflow's type, name).
        head: columns of `convoy predict` before the numbers: (name, string or double).
        columns: names of the numbers' columns there.
        classes: whether a row is one probability a class: what `convoy monitor` and heat-maps need.
    """

    names: list[str]
    noun: str
    key: str
    signature: list[tuple[str, str]]
    head: list[tuple[str, str]]
    columns: list[str]
    classes: bool

    def decode(self, raw: NDArray[np.float32]) -> Floats:
        """The network's outputs (N, …) -> rows of numbers (N, K)."""

    def answer(self, row: Floats) -> dict[str, Any]:
        """One row in words: "prediction", and what `key` says by name."""

    def row(self, row: Floats) -> dict[str, Any]:
        """One row as pyfunc and `/invocations` give it."""

    def served(self, row: Floats) -> dict[str, Any]:
        """One row as `/predict` gives it."""

    def cells(self, row: Floats) -> list[Any]:
        """The values of `head`."""

    def said(self, row: Floats) -> Any:
        """What decides whether two answers are the same one: of classes, the likeliest."""

    def gap(self, expected: Floats, found: Floats) -> float:
        """How far two rows are apart, in units in which 1e-4 is much."""


def of(info: Mapping[str, Any]) -> Any:
    """The Output of a bundle; bundles that do not name an objective classify.

    Raises:
        ValueError: there is no such objective, or its settings are missing.
    """
    name = (info.get("params") or {}).get("objective", {}).get("name", "classification")
    try:
        return plugins.load("output", name).of(info)
    except (ConfigError, KeyError, TypeError) as error:
        raise ValueError(f"the objective cannot be used: {error}") from None
