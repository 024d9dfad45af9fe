"""The prepared columns of a table, and a classifier on them."""

import torch
from torch import Tensor, nn

from convoy.config.classical import ColumnsConfig
from convoy.models._classical import heads
from convoy.models._classical.body import Classical, Features
from convoy.models._spec import TableSpec


class Columns(Features):
    """features (N, F), whose last columns are codes -> the numbers, and a 0 or 1 for each code (N, D)."""

    scaled = True

    def __init__(self, spec: TableSpec) -> None:
        super().__init__()
        self._numbers = spec.numbers
        self._codes = [codes for _, codes in spec.columns]
        self.width = spec.numbers + sum(self._codes)

    def forward(self, features: Tensor) -> Tensor:
        parts = [features[:, : self._numbers]]
        for number, codes in enumerate(self._codes, self._numbers):
            known = torch.arange(codes, dtype=features.dtype, device=features.device)
            parts.append((features[:, number : number + 1] == known).to(features.dtype))
        return torch.cat(parts, dim=1)


def build(config: ColumnsConfig, spec: TableSpec) -> nn.Module:
    return Classical(Columns(spec), heads.head(config.classifier, spec.outputs))
