"""One label a sample: softmax or one against the rest, accuracy."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from convoy.config.objective import ClassificationConfig
from convoy.training import losses
from convoy.training.objectives import _base
from convoy.training.objectives._base import Targets


class Classification(nn.Module):
    """Loss and epoch metrics of single-label classification.

    logits are (N, classes) float, targets (N,) int64 indices of classes; in training they may be
    probabilities (N, classes), of mixed samples. With class weights, a batch's loss is the sum of the
    weighted losses over the number of samples (torch's own mean divides by the sum of the weights): so it
    means the same for mixed and plain targets and however samples are divided into batches.
    """

    weights: Tensor | None  # (classes,)

    def __init__(self, config: ClassificationConfig, targets: Targets | None = None) -> None:
        """Raises:
        ConfigError: a weight is given for a class that is not there.
        DataError: a class to balance has no training sample.
        """
        super().__init__()
        self._config = config
        self._each = losses.of_classes(config.loss)
        weights = None
        if config.class_weights != "none":
            assert targets is not None, "class weights need the targets"
            counts = np.bincount(targets.values, minlength=len(targets.names))
            with np.errstate(divide="ignore"):
                balanced = counts.sum() / (len(counts) * counts.astype(np.float64))
            weights = _base.weights(
                config.class_weights, targets.names, balanced.tolist(), "objective.class_weights"
            )
        self.register_buffer("weights", weights, persistent=False)

    def target(self, batch: Mapping[str, Any]) -> Tensor:
        target: Tensor = batch["target"]
        return target

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Mean over the batch, with label smoothing; the training loss."""
        logits, smoothing = losses.wide(logits), self._config.label_smoothing
        if self._config.loss.name == "cross_entropy" and self.weights is None:
            return functional.cross_entropy(logits, target, label_smoothing=smoothing)  # one kernel
        return self._each(logits, target, self.weights, smoothing).mean()

    def measures(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Sums over the batch, without smoothing, of what an epoch averages: loss and accuracy."""
        logits = losses.wide(logits)
        plain = self._config.loss.name == "cross_entropy" and self.weights is None
        return {
            "loss": functional.cross_entropy(logits, target, reduction="sum")
            if plain
            else self._each(logits, target, self.weights, 0.0).sum(),
            "accuracy": (logits.argmax(1) == target).sum().float(),
        }


def build(config: ClassificationConfig, targets: Targets) -> Classification:
    return Classification(config, targets)
