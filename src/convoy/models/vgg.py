"""VGG for small images.

K. Simonyan and A. Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015:
configurations A (11), B (13) and D (16); 8 has one convolution a stage (Tian et al., Contrastive
Representation Distillation, ICLR 2020). The two dense layers of 4096 units, most of the original's weights,
give way to global average pooling (Lin et al., Network in Network, 2014), as is usual for small images.
"""

from torch import nn

from convoy.config.blocks import HeadConfig
from convoy.config.model import VggConfig
from convoy.models._blocks.activations import activation
from convoy.models._blocks.convolution import Convolution
from convoy.models._blocks.head import head
from convoy.models._blocks.norms import norm
from convoy.models._blocks.shape import Place, Shape
from convoy.models._spec import NetworkSpec

_CONVOLUTIONS = {8: (1, 1, 1, 1, 1), 11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3)}
_WIDTHS = (1, 2, 4, 8, 8)  # times the first stage's


def build(config: VggConfig, spec: NetworkSpec) -> nn.Module:
    """(N, C, H, W) -> (N, outputs): five stages of 3×3 convolutions, each but the last halved by max pooling.

    Images smaller than 16×16 are halved as often as they can be; 1×1 maps are not.
    """
    layers: list[nn.Module] = []
    shape = Shape(spec.channels, spec.height, spec.width)
    place = Place("vgg", "model")
    last = len(_WIDTHS) - 1
    for stage, (count, times) in enumerate(zip(_CONVOLUTIONS[config.depth], _WIDTHS, strict=True)):
        for _ in range(count):
            made, shape = Convolution(config.width * times, bias=config.norm == "none").layers(shape, place)
            layers += [*made, *norm(config.norm, shape, 1, place), *activation("relu")]
        if stage < last and min(shape.height, shape.width) > 1:
            layers.append(nn.MaxPool2d(2))
            shape = Shape(shape.channels, shape.height // 2, shape.width // 2)
    return nn.Sequential(*layers, *head(HeadConfig(), shape, config.dropout, spec.outputs))
