"""What an objective is told about its targets, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convoy.data.store import Store
from convoy.errors import ConfigError, DataError


@dataclass(frozen=True)
class Targets:
    """Of the training split.

    Attributes:
        names: of the classes, labels or values, in the order of the network's outputs.
        values: (N,) int64 indices of classes, or (N, K) floats.
        fitted: of preprocessor.json, what the objective fitted on them.
    """

    names: Sequence[str]
    values: NDArray[Any]
    fitted: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, preprocessor: Mapping[str, Any], stores: Sequence[Store]) -> Self:
        """Those of prepared stores."""
        held = [store.target if store.values is None else store.values for store in stores]
        return cls(preprocessor["classes"], np.concatenate(held), preprocessor)


class Objective(Protocol):
    """A loss to train with and what is measured beside it; a module, whose weights move to the device."""

    def target(self, batch: Mapping[str, Any]) -> Tensor:
        """What of a batch the outputs are compared with."""

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """The mean over the batch that training makes smaller, a scalar."""

    def measures(self, outputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Sums over the batch of what an epoch averages: `loss` and others."""


def weights(
    wanted: str | Mapping[str, float], names: Sequence[str], balanced: Sequence[float], key: str
) -> Tensor | None:
    """The configured weights in the order of `names`, (K,) fp32; None where all are 1.

    Args:
        balanced: what `balanced` means for each name; not finite where the training split has none.
        key: of params.yaml, for the error.

    Raises:
        ConfigError: a name is unknown.
        DataError: there is nothing to balance.
    """
    if wanted == "none":
        return None
    if isinstance(wanted, str):
        for name, weight in zip(names, balanced, strict=True):
            if not 0 < weight < float("inf"):
                raise DataError(
                    f"{name!r} cannot be balanced: the training split has no sample with it, or only such",
                    where=f"params.yaml: {key}",
                    fix=f"give {key} as numbers, or more samples",
                )
        return torch.tensor(list(balanced), dtype=torch.float32)
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise ConfigError(
            f"nothing in the data is called {', '.join(map(repr, unknown))}",
            where=f"params.yaml: {key}",
            fix=f"choose from: {', '.join(names)}",
        )
    return torch.tensor([wanted.get(name, 1.0) for name in names], dtype=torch.float32)
