"""Convolutional autoencoder (Masci et al. 2011), with strides in place of poolings."""

from itertools import pairwise

from torch import nn

from convoy.config.coder_models import ConvAutoencoderConfig
from convoy.models._blocks.activations import activation
from convoy.models._coding.coder import assemble, normalisation
from convoy.models._spec import NetworkSpec

__all__ = ["build", "normalisation"]


def build(config: ConvAutoencoderConfig, spec: NetworkSpec) -> nn.Module:
    """See `assemble`. A convolution halves the sides, rounded up; the decoder gives back each one's own."""
    channels = [spec.channels, *config.channels]
    sides = [(spec.height, spec.width)]
    for _ in config.channels:
        height, width = sides[-1]
        sides.append((-(-height // 2), -(-width // 2)))
    bias = config.norm == "none"
    down: list[nn.Module] = []
    for before, after in pairwise(channels):
        down += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=bias), *_followed(config, after)]
    maps = (channels[-1], *sides[-1])
    size = maps[0] * maps[1] * maps[2]
    up: list[nn.Module] = [
        nn.Linear(config.code_size, size), *activation(config.activation), nn.Unflatten(1, maps)
    ]  # fmt: skip
    for number in reversed(range(len(config.channels))):
        height, width = sides[number]
        up.append(
            nn.ConvTranspose2d(
                channels[number + 1],
                channels[number],
                3,
                stride=2,
                padding=1,
                output_padding=(1 - height % 2, 1 - width % 2),
                bias=bias or number == 0,
            )
        )
        up += _followed(config, channels[number]) if number else [nn.Sigmoid()]
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(size, config.code_size))
    return assemble(config, spec, encoder, nn.Sequential(*up))


def _followed(config: ConvAutoencoderConfig, channels: int) -> list[nn.Module]:
    norm: list[nn.Module] = [nn.BatchNorm2d(channels)] if config.norm == "batch" else []
    return [*norm, *activation(config.activation)]
