"""Lion (Chen et al. 2023, arXiv 2302.06675, algorithm 2), which torch has not."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Lion(Optimizer):
    """w -= lr (sign(b1 m + (1 - b1) g) + decay w); m = b2 m + (1 - b2) g."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, betas: tuple[float, float]) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._update(group, weights)
        return loss

    def _update(self, group: dict[str, Any], weights: list[Tensor]) -> None:
        lr, (first, second) = group["lr"], group["betas"]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        momenta = [self._momentum(weight) for weight in weights]
        torch._foreach_mul_(weights, 1 - lr * group["weight_decay"])
        updates = torch._foreach_lerp(momenta, gradients, 1 - first)
        torch._foreach_sign_(updates)
        torch._foreach_add_(weights, updates, alpha=-lr)
        torch._foreach_lerp_(momenta, gradients, 1 - second)

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        momentum: Tensor = state["momentum"]
        return momentum
