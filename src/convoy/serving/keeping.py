"""What a server tells of its answers. Who keeps them, and where, serving does not know."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convoy.errors import ConfigError
from convoy.serving.outputs import Output
from convoy.serving.predictor import Content, Sample
from convoy.serving.source import Reference


def check(output: Output) -> None:
    """Raises:
    ConfigError: `convoy monitor` could not compare such answers with anything.
    """
    if not output.classes:
        raise ConfigError(
            "answers are kept for `convoy monitor`, which compares classes, and this model answers with none",
            fix="leave out --keep",
        )


class Keeper(Protocol):
    """Takes what was predicted, from several threads; neither method may fail or wait."""

    def look(self, modality: str, content: Content, sample: Sample, /) -> Any:
        """What is kept of a sample: of what was sent, and of what the network takes."""

    def put(
        self, model: Reference, looks: Sequence[Any], classes: Sequence[str], rows: NDArray[np.float64], /
    ) -> None:
        """The answers to pictures that were looked at: probabilities (n, classes)."""
