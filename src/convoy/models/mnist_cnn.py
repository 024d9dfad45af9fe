"""The two-convolution network of the classic MNIST tutorials."""

from torch import nn

from convoy.config.model import MnistCnnConfig
from convoy.models._spec import NetworkSpec


def build(config: MnistCnnConfig, spec: NetworkSpec) -> nn.Module:
    """(N, C, H, W) -> (N, outputs): conv 5×5×32, pool, conv 5×5×64, pool, dense 1024, dropout, dense."""
    return nn.Sequential(
        nn.Conv2d(spec.channels, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * (spec.height // 4) * (spec.width // 4), 1024),
        nn.ReLU(),
        nn.Dropout(config.dropout),
        nn.Linear(1024, spec.outputs),
    )
