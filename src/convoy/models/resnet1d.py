"""Residual network for sequences: Wang, Yan and Oates, IJCNN 2017 (arXiv 1611.06455)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from convoy.config.sequence_models import ResNet1dConfig
from convoy.models._series.entry import Values
from convoy.models._series.masking import Convolution, masked_mean
from convoy.models._spec import SequenceSpec


class _Unit(nn.Module):
    """Convolutions one after another beside a shortcut, which has a convolution of its own."""

    def __init__(self, before: int, after: int, kernels: Sequence[int]) -> None:
        super().__init__()
        widths = pairwise([before, *[after] * len(kernels)])
        self.convolutions = nn.ModuleList(
            Convolution(inner, after, kernel) for (inner, _), kernel in zip(widths, kernels, strict=True)
        )
        self.shortcut = Convolution(before, after, 1)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        found = values
        for number, convolution in enumerate(self.convolutions, 1):
            found = convolution(found, mask, activate=number < len(self.convolutions))
        return torch.relu(found + self.shortcut(values, mask, activate=False))


class ResNet1d(nn.Module):
    """values (N, L, C), NaN behind the shorter ones -> (N, outputs)."""

    def __init__(self, config: ResNet1dConfig, spec: SequenceSpec) -> None:
        super().__init__()
        self.entry = Values(spec.channels)
        self.units = nn.ModuleList(
            _Unit(before, after, config.kernels)
            for before, after in pairwise([spec.channels, *config.channels])
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.channels[-1], spec.outputs)

    def forward(self, batch: Tensor) -> Tensor:
        values, mask = self.entry(batch)
        for unit in self.units:
            values = unit(values, mask)
        logits: Tensor = self.head(self.dropout(masked_mean(values, mask)))
        return logits


def build(config: ResNet1dConfig, spec: SequenceSpec) -> nn.Module:
    return ResNet1d(config, spec)
