"""Numbers: one or several a sample."""

from torch import Tensor, nn

from convoy.config.objective import RegressionConfig
from convoy.training import losses
from convoy.training.objectives._base import Targets


class Regression(nn.Module):
    """Loss and epoch metrics of numbers: outputs and targets (N, K) float, in the targets' units.

    `mae` and `mse` are means over samples and values, whichever loss is trained.
    """

    def __init__(self, config: RegressionConfig) -> None:
        super().__init__()
        self._each = losses.of_values(config.loss)

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        outputs = losses.wide(outputs)
        return self._each(outputs, target.to(outputs.dtype)).mean()

    def measures(self, outputs: Tensor, target: Tensor) -> dict[str, Tensor]:
        outputs = losses.wide(outputs)
        target = target.to(outputs.dtype)
        return {
            "loss": self._each(outputs, target).sum(),
            "mae": (outputs - target).abs().mean(1).sum(),
            "mse": (outputs - target).square().mean(1).sum(),
        }


def build(config: RegressionConfig, _targets: Targets) -> Regression:
    return Regression(config)
