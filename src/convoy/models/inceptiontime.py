"""InceptionTime: Fawaz et al., Data Mining and Knowledge Discovery 34 (2020), arXiv 1909.04939.

One network; the paper's classifier is the mean of five that differ in their seeds.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from convoy.config.sequence_models import InceptionTimeConfig
from convoy.models._series.entry import Values
from convoy.models._series.masking import Convolution, masked_mean, normed
from convoy.models._spec import SequenceSpec

_SHORTCUT = 3  # modules that one goes over


class _Module(nn.Module):
    """Convolutions of three lengths over a bottleneck, and a pooling, side by side."""

    def __init__(self, before: int, config: InceptionTimeConfig) -> None:
        super().__init__()
        narrowed = config.bottleneck and before > 1
        width = config.bottleneck if narrowed else before
        self.bottleneck = nn.Conv1d(before, width, 1, bias=False) if narrowed else nn.Identity()
        kernels = [config.kernel // share for share in (1, 2, 4)]
        self.pads = nn.ModuleList(nn.ConstantPad1d(((k - 1) // 2, k // 2), 0.0) for k in kernels)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, config.filters, k, bias=False) for k in kernels)
        self.pooled = nn.Conv1d(before, config.filters, 1, bias=False)
        self.norm = nn.BatchNorm1d(4 * config.filters)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        narrow = self.bottleneck(values)
        sides = [
            convolution(pad(narrow)) for pad, convolution in zip(self.pads, self.convolutions, strict=True)
        ]
        hidden = ~mask[:, None]
        sides.append(self.pooled(_most(values.masked_fill(hidden, float("-inf"))).masked_fill(hidden, 0.0)))
        return torch.relu(normed(self.norm, torch.cat(sides, dim=1), mask))


def _most(values: Tensor) -> Tensor:
    """The largest of three neighbours; written out, since ONNX's export fixes the length of a pooling."""
    wide = functional.pad(values, (1, 1), value=float("-inf"))
    return torch.maximum(torch.maximum(wide[:, :, :-2], values), wide[:, :, 2:])


class InceptionTime(nn.Module):
    """values (N, L, C), NaN behind the shorter ones -> (N, outputs)."""

    def __init__(self, config: InceptionTimeConfig, spec: SequenceSpec) -> None:
        super().__init__()
        self.entry = Values(spec.channels)
        width = 4 * config.filters
        starts = [spec.channels, *[width] * (config.depth - 1)]
        self.stages = nn.ModuleList(_Module(before, config) for before in starts)
        ends = range(_SHORTCUT, config.depth + 1, _SHORTCUT) if config.residual else ()
        self.shortcuts = nn.ModuleDict(
            {str(end): Convolution(starts[end - _SHORTCUT], width, 1) for end in ends}
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(width, spec.outputs)

    def forward(self, batch: Tensor) -> Tensor:
        values, mask = self.entry(batch)
        before = values
        for number, stage in enumerate(self.stages, 1):
            values = stage(values, mask)
            if str(number) in self.shortcuts:
                shortcut = self.shortcuts[str(number)]
                values = before = torch.relu(values + shortcut(before, mask, activate=False))
        logits: Tensor = self.head(self.dropout(masked_mean(values, mask)))
        return logits


def build(config: InceptionTimeConfig, spec: SequenceSpec) -> nn.Module:
    return InceptionTime(config, spec)
