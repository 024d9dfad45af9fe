"""LeNet-5: Y. LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86 (1998)."""

from torch import nn

from convoy.config.model import LeNet5Config
from convoy.errors import ConfigError
from convoy.models._spec import NetworkSpec


def build(config: LeNet5Config, spec: NetworkSpec) -> nn.Module:
    """(N, C, H, W) -> (N, outputs). The classic for 28×28 (padded to 32×32) and any size of at least 12×12.

    Raises:
        ConfigError: the images are too small for two 5×5 convolutions with pooling.
    """
    assert config.name == "lenet5"
    height, width = ((side // 2 - 4) // 2 for side in (spec.height, spec.width))
    if min(height, width) < 1:
        raise ConfigError(
            f"lenet5 cannot take images of {spec.height}×{spec.width}",
            where="params.yaml: model.name, prepare.height, prepare.width",
            fix="prepare images of at least 12×12",
        )
    return nn.Sequential(
        nn.Conv2d(spec.channels, 6, 5, padding=2),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * height * width, 120),
        nn.Tanh(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, spec.outputs),
    )
