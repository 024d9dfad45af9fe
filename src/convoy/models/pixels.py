"""The pixels themselves, normalised, and a classifier on them."""

from torch import Tensor, nn

from convoy.config.classical import PixelsConfig
from convoy.models._classical import heads
from convoy.models._classical.body import Classical, Features
from convoy.models._spec import NetworkSpec


class Pixels(Features):
    """(N, C, H, W) -> (N, C H W)."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.width = spec.channels * spec.height * spec.width

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.contiguous().flatten(1)


def build(config: PixelsConfig, spec: NetworkSpec) -> nn.Module:
    return Classical(Pixels(spec), heads.head(config.classifier, spec.outputs))
