"""Numbers: one or several a sample; of points, the places of those that are known."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from convoy.config.objective import RegressionConfig
from convoy.training import losses
from convoy.training.objectives._base import Targets


class Regression(nn.Module):
    """Loss and epoch metrics of numbers: outputs and targets (N, K) float, standardised by training's.

    A target that is NaN is not known: it adds nothing, and a sample counts as the mean of its known ones.
    `mae` and `mse` are means over samples and values in the targets' own units, whichever loss is trained.
    """

    mean: Tensor  # (K,), of the training split
    std: Tensor

    def __init__(self, config: RegressionConfig, fitted: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self._distance = losses.distances(config.loss)
        known = (fitted or {}).get("target") or {"mean": [0.0], "std": [1.0]}
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(known[name], dtype=torch.float32), persistent=False)

    def target(self, batch: Mapping[str, Any]) -> Tensor:
        """Of the batch's values (N, K) or its keypoints (N, K / 2, 3), moved as the pictures were."""
        if "values" in batch:
            raw: Tensor = batch["values"]
        else:
            points: Tensor = batch["keypoints"]
            raw = points[:, :, :2].masked_fill(points[:, :, 2:] == 0, torch.nan).flatten(1)
        return (raw.float() - self.mean) / self.std

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        outputs = losses.wide(outputs)
        return self._sample(self._distance, outputs, target).mean()

    def measures(self, outputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        outputs = losses.wide(outputs)
        std = self.std.to(outputs.dtype)
        return {
            "loss": self._sample(self._distance, outputs, target).sum(),
            "mae": self._sample(lambda a, b: (a - b).abs() * std, outputs, target).sum(),
            "mse": self._sample(lambda a, b: ((a - b) * std).square(), outputs, target).sum(),
        }

    @staticmethod
    def _sample(distance: losses.Loss, outputs: Tensor, target: Tensor) -> Tensor:
        """(N,): the mean over the known values of each sample; 0 where none is."""
        target = target.to(outputs.dtype)
        known = ~target.isnan()
        # where nothing is known, nothing is compared: NaN times 0 would be NaN, in the gradient too
        each = distance(outputs, torch.where(known, target, outputs.detach()))
        return (each * known).sum(1) / known.sum(1).clamp(min=1)


def build(config: RegressionConfig, targets: Targets) -> Regression:
    return Regression(config, targets.fitted)
