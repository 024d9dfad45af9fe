"""What the classifiers of sklearn are as networks: weights, or trees that all samples walk at once."""

import torch
from torch import Tensor, nn

from convoy.config.classical import ClassifierConfig, GradientBoostingConfig, RandomForestConfig
from convoy.models._classical.body import Grown

_LEAST = 1e-6  # a share of 0 in all trees would make a wrong answer infinitely wrong


class Linear(Grown):
    """(N, D) -> (N, outputs). Unfitted, it says the bias alone."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, 0), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(outputs), requires_grad=False)

    def forward(self, values: Tensor) -> Tensor:
        if self.weight.shape[1] == 0:
            return self.bias.expand(values.shape[0], -1)
        return nn.functional.linear(values, self.weight, self.bias)


class Trees(Grown):
    """T trees over D features; M nodes of all trees and L leaves.

    A sample goes left where its feature is at most the threshold. Leaves are their own children, so all
    samples take as many steps as the deepest leaf is deep.
    """

    feature: Tensor  # (M,) int32
    threshold: Tensor  # (M,) fp32
    child: Tensor  # (2 M,) int32: of node i the left one at 2 i, the right one at 2 i + 1
    leaf: Tensor  # (M,) int32: the row of `value`; of inner nodes 0
    root: Tensor  # (T,) int32

    def __init__(self, width: int) -> None:
        super().__init__()
        for name in ("feature", "child", "leaf", "root"):
            self.register_buffer(name, torch.zeros(0, dtype=torch.int32))
        self.register_buffer("threshold", torch.zeros(0))
        self.value = nn.Parameter(torch.zeros(0, width), requires_grad=False)  # (L, width)
        self.depth = 0

    def settle(self) -> None:
        """Count the steps to the deepest leaf."""
        nodes, self.depth = self.root.long(), 0
        while len(inner := nodes[self.child[2 * nodes] != nodes]):
            nodes = torch.cat([self.child[2 * inner], self.child[2 * inner + 1]]).long()
            self.depth += 1

    def forward(self, values: Tensor) -> Tensor:
        """(N, D) -> (N, T, width) of the leaves that were reached."""
        nodes = self.root.long()[None].expand(values.shape[0], -1)
        for _ in range(self.depth):
            asked = values.gather(1, self.feature[nodes].long())
            right = (asked > self.threshold[nodes]).long()
            nodes = self.child[2 * nodes + right].long()
        return self.value[self.leaf[nodes].long()]


class Forest(nn.Module):
    """(N, D) -> (N, outputs): logarithms of the trees' mean class shares."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.trees = Trees(outputs)

    def forward(self, values: Tensor) -> Tensor:
        if len(self.trees.root) == 0:
            return values.new_zeros(values.shape[0], self.outputs)
        shares: Tensor = self.trees(values).mean(dim=1)
        return shares.clamp(min=_LEAST).log()


class Boosted(Grown):
    """(N, D) -> (N, outputs): each tree adds to the score of one class, from `start` on."""

    start: Tensor  # (outputs,)
    of: Tensor  # (T, outputs): 1 at the class of the tree

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.trees = Trees(1)
        self.register_buffer("start", torch.zeros(outputs))
        self.register_buffer("of", torch.zeros(0, outputs))

    def forward(self, values: Tensor) -> Tensor:
        if len(self.of) == 0:
            return self.start.expand(values.shape[0], -1)
        added: Tensor = self.trees(values)[:, :, 0] @ self.of
        return self.start + added


def head(config: ClassifierConfig, outputs: int) -> nn.Module:
    """As it is before the fit."""
    if isinstance(config, RandomForestConfig):
        return Forest(outputs)
    return Boosted(outputs) if isinstance(config, GradientBoostingConfig) else Linear(outputs)
