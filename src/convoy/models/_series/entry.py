"""From a batch of texts or of sequences to features (N, C, L) and the mask (N, L) of their places."""

from typing import cast

import torch
from torch import Tensor, nn

from convoy.config.text_models import EmbeddingConfig, SeriesConfig
from convoy.models._spec import SequenceSpec, TextSpec
from convoy.models._text.embedding import Embedding, known


class Tokens(nn.Module):
    """ids (N, L), 0 behind the shorter ones; their vectors."""

    def __init__(self, config: EmbeddingConfig, spec: TextSpec) -> None:
        """Raises:
        ConfigError: the file of word vectors cannot be read.
        """
        super().__init__()
        self.embedding = Embedding(config, spec)
        self.size = self.embedding.size

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        return self.embedding(ids), known(ids)


class Values(nn.Module):
    """values (N, L, C), NaN behind the shorter ones."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.size = channels

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        mask = ~torch.isnan(values[:, :, 0])
        return torch.where(mask[:, :, None], values, 0.0).transpose(1, 2), mask


def of(config: SeriesConfig, spec: TextSpec | SequenceSpec) -> "Tokens | Values":
    """Raises:
    ConfigError: the file of word vectors cannot be read.
    """
    if isinstance(spec, SequenceSpec):
        return Values(spec.channels)
    return Tokens(config.embedding or EmbeddingConfig(), spec)


def read(entry: nn.Module, batch: Tensor) -> tuple[Tensor, Tensor]:
    """Features and mask."""
    return cast("tuple[Tensor, Tensor]", entry(batch))
