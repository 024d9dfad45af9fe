"""Convolutions over tokens or values, one after another; their mean and maximum over time, a dense layer."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from convoy.config.text_models import Cnn1dConfig
from convoy.models._series import entry
from convoy.models._series.masking import masked_max, masked_mean
from convoy.models._spec import SequenceSpec, TextSpec


class Cnn1d(nn.Module):
    """A batch -> (N, outputs); what is computed of padding is set to 0 after every layer."""

    def __init__(self, config: Cnn1dConfig, spec: TextSpec | SequenceSpec) -> None:
        super().__init__()
        self.entry = entry.of(config, spec)
        widths = [self.entry.size, *config.channels]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, config.kernel, padding="same") for before, after in pairwise(widths)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in config.channels)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.channels[-1], spec.outputs)

    def forward(self, batch: Tensor) -> Tensor:
        values, mask = entry.read(self.entry, batch)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            values = norm(convolution(values).transpose(1, 2)).transpose(1, 2)
            values = functional.relu(values) * mask[:, None]
        pooled = torch.cat([masked_max(values, mask), masked_mean(values, mask)], dim=1)
        logits: Tensor = self.head(self.dropout(pooled))
        return logits


def build(config: Cnn1dConfig, spec: TextSpec | SequenceSpec) -> nn.Module:
    """Raises:
    ConfigError: the file of word vectors cannot be read.
    """
    return Cnn1d(config, spec)
