"""Token ids to vectors, by one table or two."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from convoy.config.text_models import EmbeddingConfig
from convoy.models._spec import TextSpec
from convoy.models._text import vectors

_SPREAD = 0.25  # of uniform vectors, as Kim (2014) took it: about the deviation of pretrained ones


class Embedding(nn.Module):
    """ids (N, L) -> vectors (N, D, L); padding is 0.

    With `channels: both` there are two tables, one of which stays, and D is twice the size.
    """

    def __init__(self, config: EmbeddingConfig, spec: TextSpec) -> None:
        """Raises:
        ConfigError: the file of vectors cannot be read.
        """
        super().__init__()
        found = None
        if config.pretrained and spec.pretrained:
            found = vectors.read(Path(config.pretrained), spec.vocabulary)
        size = config.size if found is None else found.values.shape[1]
        if found is None and config.pretrained:  # trained weights follow: of the size that the file has
            size = vectors.size(Path(config.pretrained)) or config.size
        self.size = size * (2 if config.channels == "both" else 1)
        self._dropout = config.dropout
        self.tables = nn.ModuleList()
        for stays in {"tuned": [False], "static": [True], "both": [False, True]}[config.channels]:
            table = nn.Embedding(len(spec.vocabulary), size, padding_idx=0)
            nn.init.uniform_(table.weight, -_SPREAD, _SPREAD)
            if found is not None:
                table.weight.data[found.rows] = found.values
            table.weight.data[0] = 0
            table.weight.requires_grad_(not stays)
            self.tables.append(table)

    def forward(self, ids: Tensor) -> Tensor:
        parts = [table(ids) for table in self.tables]
        found = torch.cat(parts, dim=2).transpose(1, 2)
        if self.training and self._dropout:
            keep = functional.dropout(torch.ones_like(found[:, :1]), self._dropout)
            found = found * keep
        return found


def known(ids: Tensor) -> Tensor:
    """(N, L) where there is a token."""
    return ids != 0
