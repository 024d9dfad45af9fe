"""Optimisers and learning-rate schedules from their sections."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.nn import Parameter

from convoy.config.train import AdamConfig, ScheduleConfig, SgdConfig


def optimizer(
    config: SgdConfig | AdamConfig, parameters: Iterable[Parameter] | Iterable[dict[str, Any]]
) -> torch.optim.Optimizer:
    """The optimiser, in torch's fused form: the same rule in one pass over the weights."""
    if isinstance(config, SgdConfig):
        return torch.optim.SGD(
            parameters,
            lr=config.lr,
            momentum=config.momentum,
            nesterov=config.nesterov,
            weight_decay=config.weight_decay,
            fused=True,
        )
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return kind(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=True)


def factor(config: ScheduleConfig, *, epochs: int, steps_per_epoch: int) -> Callable[[int], float]:
    """The share of the base learning rate at a step (from 0).

    Linear warm-up from one step's share to 1 (Goyal et al., 2017), then: `fixed` 1; `step` times gamma every
    step_epochs; `cosine` half a cosine down to final_fraction at the last step (Loshchilov & Hutter, 2017).
    """
    warmup = round(config.warmup_epochs * steps_per_epoch)
    rest = max(1, epochs * steps_per_epoch - warmup - 1)

    def at(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        if config.name == "step":
            return float(config.gamma ** ((step // steps_per_epoch) // config.step_epochs))
        if config.name == "cosine":
            progress = min(1.0, (step - warmup) / rest)
            fall = (1 + math.cos(math.pi * progress)) / 2
            return config.final_fraction + (1 - config.final_fraction) * fall
        return 1.0

    return at
