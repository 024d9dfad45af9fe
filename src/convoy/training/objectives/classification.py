"""One label a sample: softmax cross-entropy and accuracy."""

import torch
from torch import Tensor, nn

from convoy.config.train import ObjectiveConfig


class Classification:
    """Loss and epoch metrics of single-label classification.

    logits are (N, classes) float, targets (N,) int64 indices of classes; in training they may be
    probabilities (N, classes), of mixed samples.
    """

    def __init__(self, config: ObjectiveConfig) -> None:
        self._smoothing = config.label_smoothing

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy in fp32, with label smoothing (Szegedy et al., 2016); the training loss."""
        return nn.functional.cross_entropy(logits.float(), target, label_smoothing=self._smoothing)

    def measures(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Sums over the batch, without smoothing, of what an epoch averages: loss and accuracy."""
        return {
            "loss": nn.functional.cross_entropy(logits.float(), target, reduction="sum"),
            "accuracy": (logits.argmax(1) == target).sum().to(torch.float32),
        }


def build(config: ObjectiveConfig) -> Classification:
    return Classification(config)
