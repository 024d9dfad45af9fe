"""Optimisers from their section, in torch's fused form where it has one: the same rule in one pass."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from convoy.config.optimizer import (
    AdagradConfig,
    AdamConfig,
    LionConfig,
    MuonConfig,
    OptimizerConfig,
    RmspropConfig,
    SgdConfig,
)
from convoy.training.muon import MuonWithAdamW

Groups = list[dict[str, Any]]  # torch's parameter groups


def optimizer(config: OptimizerConfig, groups: Groups, *, head: Tensor, fused: bool = True) -> Optimizer:
    """The optimiser over groups that carry their own weight decay and, where they like, learning rate.

    Args:
        head: weight of the output layer, which Muon leaves to AdamW.
        fused: no, where fp16 gradients must be clipped: fused steps unscale them themselves.

    Raises:
        ConfigError: Muon finds no hidden weight.
    """
    if isinstance(config, SgdConfig):
        return torch.optim.SGD(
            groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, fused=fused
        )
    if isinstance(config, AdamConfig):
        kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
        return kind(groups, lr=config.lr, betas=_pair(config.betas), eps=config.eps, fused=fused)
    if isinstance(config, AdagradConfig):
        on_cpu = head.device.type == "cpu"
        return torch.optim.Adagrad(
            groups, lr=config.lr, lr_decay=config.lr_decay, eps=config.eps, fused=(fused and on_cpu) or None
        )
    if isinstance(config, RmspropConfig):
        return torch.optim.RMSprop(
            groups,
            lr=config.lr,
            alpha=config.alpha,
            eps=config.eps,
            momentum=config.momentum,
            centered=config.centered,
            foreach=True,
        )
    if isinstance(config, LionConfig):
        from timm.optim.lion import Lion  # seconds

        lion: Optimizer = Lion(groups, lr=config.lr, betas=_pair(config.betas))
        return lion
    assert isinstance(config, MuonConfig)
    return MuonWithAdamW(
        groups,
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        betas=_pair(config.betas),
        head=head,
        fused=fused,
    )


def head(network: nn.Module) -> Tensor:
    """Weight of the output layer: the last one that is no vector."""
    return [weight for weight in network.parameters() if weight.ndim >= 2][-1]


def _pair(betas: list[float]) -> tuple[float, float]:
    first, second = betas
    return first, second
