"""Gradient clipping."""

from collections.abc import Iterable

from torch import Tensor, nn

from convoy.config.regularise import GradientClippingConfig


def clip(parameters: Iterable[Tensor], config: GradientClippingConfig) -> Tensor:
    """Keep the gradients within the limit; returns the L2 norm of all of them as they were."""
    weights = [parameter for parameter in parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    if config.by == "norm":
        nn.utils.clip_grads_with_norm_(weights, config.limit, norm)
    else:
        nn.utils.clip_grad_value_(weights, config.limit)
    return norm
