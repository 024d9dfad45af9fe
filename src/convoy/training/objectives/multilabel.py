"""Any number of labels a sample, each a question of its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from convoy.config.objective import MultilabelConfig
from convoy.training import losses
from convoy.training.objectives import _base
from convoy.training.objectives._base import Targets


class Multilabel(nn.Module):
    """Loss and epoch metrics of labels: logits (N, K) float, targets (N, K) float of 0 and 1.

    A label is predicted where its logit is above 0. `accuracy` is the share of right answers over all samples
    and labels, `exact_match` that of samples with every answer right.
    """

    positive_weights: Tensor | None  # (K,)

    def __init__(self, config: MultilabelConfig, targets: Targets) -> None:
        """Raises:
        ConfigError: a weight is given for a label that is not there.
        DataError: a label to balance holds for no or for every training sample.
        """
        super().__init__()
        holds = np.asarray(targets.values, dtype=np.float64).sum(0)
        with np.errstate(divide="ignore"):
            balanced = (len(targets.values) - holds) / holds
        weights = _base.weights(
            config.positive_weights, targets.names, balanced.tolist(), "objective.positive_weights"
        )
        self.register_buffer("positive_weights", weights, persistent=False)
        self._config = config

    def _each(self, logits: Tensor, target: Tensor) -> Tensor:
        logits = losses.wide(logits)
        return losses.of_labels(self._config.loss, self.positive_weights)(logits, target.to(logits.dtype))

    def target(self, batch: Mapping[str, Any]) -> Tensor:
        target: Tensor = batch["values"]
        return target

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return self._each(logits, target).mean()

    def measures(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        right = (logits > 0) == (target > 0.5)
        return {
            "loss": self._each(logits, target).sum(),
            "accuracy": right.float().mean(1).sum(),
            "exact_match": right.all(1).sum().float(),
        }


def build(config: MultilabelConfig, targets: Targets) -> Multilabel:
    return Multilabel(config, targets)
