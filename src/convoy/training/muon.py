"""Muon (K. Jordan et al., 2024) for hidden weights, AdamW for everything else, as one optimiser.

torch's Muon takes matrices. Here it sees each hidden weight as one, outputs × everything else, as its author
does with the filters of a convolution: a view of the same memory, in channels_last, too (the order of the
columns means nothing to an orthogonalisation).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from convoy.errors import ConfigError

_SHARED = ("lr", "weight_decay", "momentum", "betas")  # what schedules may change in a group


class MuonWithAdamW(Optimizer):
    """Args:
    groups: torch's parameter groups.
    head: weight of the output layer; it and all vectors (biases, norms) are AdamW's.

    Raises:
        ConfigError: there is no hidden weight.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        *,
        lr: float,
        momentum: float,
        nesterov: bool,
        betas: tuple[float, float],
        head: Tensor,
        fused: bool,
    ) -> None:
        split: list[dict[str, Any]] = []
        for group in groups:
            for hidden in (True, False):
                mine = [p for p in group["params"] if (p.ndim >= 2 and p is not head) == hidden]
                if mine:
                    split.append({**group, "params": mine, "hidden": hidden})
        if not any(group["hidden"] for group in split):
            raise ConfigError(
                "muon finds no hidden weight in this model",
                where="params.yaml: train.optimizer.name, model",
                fix="use adamw, or a model with a hidden layer",
            )
        defaults = {"lr": lr, "weight_decay": 0.0, "momentum": momentum, "betas": betas}
        super().__init__(split, defaults)
        self._matrices = [
            [nn.Parameter(_matrix(weight.detach())) for weight in group["params"]]
            for group in self.param_groups
            if group["hidden"]
        ]
        self._muon = torch.optim.Muon(
            [{"params": matrices} for matrices in self._matrices],
            lr=lr,
            momentum=momentum,
            nesterov=nesterov,
            adjust_lr_fn="match_rms_adamw",
        )
        rest = [{"params": group["params"]} for group in self.param_groups if not group["hidden"]]
        self._adamw = torch.optim.AdamW(rest, lr=lr, betas=betas, fused=fused) if rest else None

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        hidden = [group for group in self.param_groups if group["hidden"]]
        for group, matrices, inner in zip(hidden, self._matrices, self._muon.param_groups, strict=True):
            _share(group, inner)
            for weight, matrix in zip(group["params"], matrices, strict=True):
                matrix.grad = None if weight.grad is None else _matrix(_like(weight.grad, weight))
        self._muon.step()  # type: ignore[no-untyped-call]
        for matrix in (matrix for matrices in self._matrices for matrix in matrices):
            matrix.grad = None
        if self._adamw is not None:
            rest = [group for group in self.param_groups if not group["hidden"]]
            for group, inner in zip(rest, self._adamw.param_groups, strict=True):
                _share(group, inner)
            self._adamw.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        inner = {"muon": self._muon.state_dict()}
        if self._adamw is not None:
            inner["adamw"] = self._adamw.state_dict()
        return {**super().state_dict(), "inner": inner}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({name: state_dict[name] for name in ("state", "param_groups")})
        self._muon.load_state_dict(state_dict["inner"]["muon"])
        if self._adamw is not None:
            self._adamw.load_state_dict(state_dict["inner"]["adamw"])


def _share(group: dict[str, Any], inner: dict[str, Any]) -> None:
    inner.update({name: group[name] for name in _SHARED if name in inner})


def _like(gradient: Tensor, weight: Tensor) -> Tensor:
    """The gradient in the weight's memory order."""
    return torch.empty_like(weight).copy_(gradient) if gradient.stride() != weight.stride() else gradient


def _matrix(weight: Tensor) -> Tensor:
    """(outputs, …) as (outputs, rest), a view."""
    if weight.ndim == 4 and not weight.is_contiguous():
        weight = weight.permute(0, 2, 3, 1)
    return weight.view(len(weight), -1)
