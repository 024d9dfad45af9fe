"""ResNet for small images.

K. He et al., Deep Residual Learning for Image Recognition, CVPR 2016. Depths 6n + 2 (20 to 110) are its
section 4.2: three stages of n units with 16, 32, 64 channels; projections where the shape changes (option B;
the paper's CIFAR networks pad with zeros instead, which has 2,752 weights less). 18 and 34 have the units of
its ImageNet networks behind a 3×3 stem without pooling, as is usual for CIFAR.
"""

from torch import nn

from convoy.config.blocks import HeadConfig, ResidualBlock
from convoy.config.model import ResNetConfig
from convoy.models._blocks.activations import activation
from convoy.models._blocks.convolution import Convolution
from convoy.models._blocks.head import head
from convoy.models._blocks.norms import norm
from convoy.models._blocks.residual import residual_block
from convoy.models._blocks.shape import Place, Shape
from convoy.models._spec import NetworkSpec

_WIDE = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


def build(config: ResNetConfig, spec: NetworkSpec) -> nn.Module:
    """(N, C, H, W) -> (N, outputs), for images of any size; each stage but the first halves the maps."""
    units = _WIDE.get(config.depth, (config.depth // 6,) * 3)
    width = config.width or (64 if config.depth in _WIDE else 16)
    place = Place("resnet", "model")
    stem, shape = Convolution(width, bias=False).layers(Shape(spec.channels, spec.height, spec.width), place)
    layers = [*stem, *norm("batch", shape, 1, place), *activation("relu")]
    for stage, count in enumerate(units):
        block = ResidualBlock(
            type="residual", channels=width * 2**stage, stride=1 if stage == 0 else 2, repeat=count
        )
        made, shape = residual_block(block, shape, place)
        layers += made
    return nn.Sequential(*layers, *head(HeadConfig(), shape, config.dropout, spec.outputs))
