"""Fully convolutional network: Wang, Yan and Oates, Time series classification from scratch with deep neural
networks, IJCNN 2017 (arXiv 1611.06455).
"""

from itertools import pairwise

from torch import Tensor, nn

from convoy.config.sequence_models import FcnConfig
from convoy.models._series.entry import Values
from convoy.models._series.masking import Convolution, masked_mean
from convoy.models._spec import SequenceSpec


class Fcn(nn.Module):
    """values (N, L, C), NaN behind the shorter ones -> (N, outputs)."""

    def __init__(self, config: FcnConfig, spec: SequenceSpec) -> None:
        super().__init__()
        self.entry = Values(spec.channels)
        widths = pairwise([spec.channels, *config.channels])
        self.convolutions = nn.ModuleList(
            Convolution(before, after, kernel)
            for (before, after), kernel in zip(widths, config.kernels, strict=True)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.channels[-1], spec.outputs)

    def forward(self, batch: Tensor) -> Tensor:
        values, mask = self.entry(batch)
        for convolution in self.convolutions:
            values = convolution(values, mask)
        logits: Tensor = self.head(self.dropout(masked_mean(values, mask)))
        return logits


def build(config: FcnConfig, spec: SequenceSpec) -> nn.Module:
    return Fcn(config, spec)
