"""Plain recurrent units, computed as gated ones whose gates stand open.

ONNX's export knows LSTM and GRU at any length, and writes a plain recurrence out at the length it was shown.
With its reset gate at 1 and its update gate at 0 a GRU is a plain recurrence.
"""

import torch
from torch import Tensor, nn

_OPEN = 40.0  # the sigmoid of it is 1 in fp32


class Elman(nn.Module):
    """(N, L, inputs) -> (N, L, hidden) of states: tanh(W x + U h + b), from 0 on."""

    def __init__(self, inputs: int, hidden: int, *, batch_first: bool = True) -> None:
        super().__init__()
        assert batch_first
        self.hidden = hidden
        self.given = nn.Parameter(torch.empty(hidden, inputs))
        self.states = nn.Parameter(torch.empty(hidden, hidden))
        self.bias = nn.Parameter(torch.empty(hidden))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(hidden**-0.5), hidden**-0.5)  # as torch begins nn.RNN

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        closed = torch.zeros_like(self.bias)
        weights = [
            torch.cat([torch.zeros_like(self.given), torch.zeros_like(self.given), self.given]),
            torch.cat([torch.zeros_like(self.states), torch.zeros_like(self.states), self.states]),
            torch.cat([closed + _OPEN, closed - _OPEN, self.bias]),
            torch.cat([closed, closed, closed]),
        ]
        begun = values.new_zeros(1, values.shape[0], self.hidden)
        states, last = torch.gru(values, begun, weights, True, 1, 0.0, self.training, False, True)
        return states, last
