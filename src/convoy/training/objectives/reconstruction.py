"""The sample itself, out of a code: what the decoder gives is compared with what came in, without noise."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from convoy.config.objective import ReconstructionConfig
from convoy.training import losses
from convoy.training.objectives._base import Targets


class Reconstruction(nn.Module):
    """Loss and epoch metrics of autoencoders.

    Outputs are (N, 1 + K + P): error, code and the P pixels of the reconstruction (see
    `convoy.training.entries.image.Reconstructing`), targets the pixels (N, P); both from 0 to 1. `mse` and
    `mae` are means over pixels, whichever loss is trained.
    """

    def __init__(self, config: ReconstructionConfig) -> None:
        super().__init__()
        self._distance = losses.distances(config.loss)

    def target(self, batch: Mapping[str, Any]) -> Tensor:
        """Of the batch's pictures (N, H, W, C), as they were augmented: (N, C·H·W)."""
        images: Tensor = batch["images"]
        return images.permute(0, 3, 1, 2).flatten(1).float() / 255

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        return self._distance(_pixels(outputs, target), target).mean()

    def measures(self, outputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        pixels = _pixels(outputs, target)
        apart = pixels - target
        return {
            "loss": self._distance(pixels, target).mean(1).sum(),
            "mae": apart.abs().mean(1).sum(),
            "mse": apart.square().mean(1).sum(),
        }


def _pixels(outputs: Tensor, target: Tensor) -> Tensor:
    return losses.wide(outputs)[:, -target.shape[1] :]


def build(config: ReconstructionConfig, targets: Targets) -> Reconstruction:
    del targets
    return Reconstruction(config)
