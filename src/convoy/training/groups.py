"""torch's parameter groups of a network."""

from typing import Any

from torch import nn

from convoy.config.optimizer import OptimizerConfig


def groups(network: nn.Module, config: OptimizerConfig) -> list[dict[str, Any]]:
    """Weights with their decay; and, without decay, what shrinking does not regularise: biases and the
    scales of normalisation.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if config.decay_norms_and_biases or config.weight_decay == 0:
        return [{"params": trained, "weight_decay": config.weight_decay}]
    split = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in split if group["params"]]
