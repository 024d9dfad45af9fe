"""Activation functions by name."""

from collections.abc import Callable

from torch import nn

from convoy.config.blocks import Activation

_ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
    "swish": nn.SiLU,
    "mish": nn.Mish,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "softmax": lambda: nn.Softmax(dim=1),  # over the channels, at each place
}


def activation(name: Activation) -> list[nn.Module]:
    """The activation, with torch's parameters; nothing for `none`."""
    return [] if name == "none" else [_ACTIVATIONS[name]()]
