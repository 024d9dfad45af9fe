"""Dense autoencoder (Hinton and Salakhutdinov, Science 2006), trained as a whole."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from convoy.config.coder_models import AutoencoderConfig
from convoy.models._blocks.activations import activation
from convoy.models._coding.coder import assemble, normalisation
from convoy.models._spec import NetworkSpec

__all__ = ["build", "normalisation"]


def build(config: AutoencoderConfig, spec: NetworkSpec) -> nn.Module:
    """See `assemble`."""
    pixels = spec.channels * spec.height * spec.width
    widths = [pixels, *config.hidden, config.code_size]
    encoder = nn.Sequential(nn.Flatten(), *_dense(widths, config))
    decoder = nn.Sequential(*_dense(widths[::-1], config), nn.Sigmoid())
    return assemble(config, spec, encoder, decoder)


def _dense(widths: Sequence[int], config: AutoencoderConfig) -> list[nn.Module]:
    """Layers of these widths, activated but for the last one."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), *activation(config.activation)]
    return layers[: len(layers) - len(activation(config.activation))]
