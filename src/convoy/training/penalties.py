"""L1 and L2 penalties on the weights of a network; biases and normalisation are free."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def penalty(network: nn.Module, l1: float, l2: float) -> Callable[[], Tensor] | None:
    """l1 sum |w| + l2 sum w², over all weights of layers that learn, at each call; None where both are 0.

    It is part of what the optimiser sees (so Adam rescales it), unlike AdamW's weight decay.
    """
    if l1 == 0 and l2 == 0:
        return None

    def value() -> Tensor:
        weights = [weight for weight in network.parameters() if weight.ndim >= 2 and weight.requires_grad]
        terms = []
        if l1:
            terms += [l1 * weight.abs().sum() for weight in weights]
        if l2:
            terms += [l2 * weight.square().sum() for weight in weights]
        return torch.stack(terms).sum() if terms else torch.zeros(())

    return value
