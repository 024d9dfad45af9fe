"""Recurrent networks over series of any length, in both directions, without packed sequences (for ONNX)."""

import torch
from torch import Tensor, nn

from convoy.config.text_models import GruConfig, LstmConfig, RnnConfig
from convoy.models._series import entry
from convoy.models._series.elman import Elman
from convoy.models._series.masking import masked_max
from convoy.models._spec import SequenceSpec, TextSpec


class Recurrent(nn.Module):
    """A batch -> (N, outputs): the maximum over time of the last layer's states, one dense layer.

    The backward direction reads every series from its own end: the places are turned round, and padding stays
    behind them.
    """

    def __init__(
        self,
        cell: type[Elman] | type[nn.LSTM] | type[nn.GRU],
        config: RnnConfig | LstmConfig | GruConfig,
        spec: TextSpec | SequenceSpec,
    ) -> None:
        """Raises:
        ConfigError: the file of word vectors cannot be read.
        """
        super().__init__()
        self.entry = entry.of(config, spec)
        directions = 2 if config.bidirectional else 1
        widths = [self.entry.size, *[config.hidden * directions] * (config.layers - 1)]
        self.forwards = nn.ModuleList(cell(width, config.hidden, batch_first=True) for width in widths)
        self.backwards = nn.ModuleList(
            cell(width, config.hidden, batch_first=True) for width in widths if config.bidirectional
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden * directions, spec.outputs)

    def forward(self, batch: Tensor) -> Tensor:
        features, mask = entry.read(self.entry, batch)
        values = features.transpose(1, 2)
        turned = _turned(mask)
        for number, ahead in enumerate(self.forwards):
            states = [ahead(values)[0]]
            if len(self.backwards):
                back = self.backwards[number](_placed(values, turned))[0]
                states.append(_placed(back, turned))
            values = torch.cat(states, dim=2)
        logits: Tensor = self.head(self.dropout(masked_max(values.transpose(1, 2), mask)))
        return logits


def _turned(mask: Tensor) -> Tensor:
    """(N, L): for each place the one that it changes with; padding keeps its own."""
    places = torch.arange(mask.shape[1], device=mask.device)[None]
    return torch.where(mask, mask.sum(dim=1, keepdim=True) - 1 - places, places)


def _placed(values: Tensor, places: Tensor) -> Tensor:
    """(N, L, C) in the order of the places (N, L)."""
    return values.gather(1, places[:, :, None].expand(-1, -1, values.shape[2]))
