"""What is computed over the places of series that differ in length: padding has no part in it.

A series of features is (N, C, L), its mask (N, L), true where there is a place. Features of padding are 0.
"""

import torch
from torch import Tensor, nn


def masked_max(values: Tensor, mask: Tensor) -> Tensor:
    """(N, C, L) and (N, L) -> (N, C): the maximum over the places that count."""
    return values.masked_fill(~mask[:, None], float("-inf")).amax(dim=2)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """(N, C, L) and (N, L) -> (N, C)."""
    counts = mask.sum(dim=1, keepdim=True).clamp(min=1)
    total: Tensor = (values * mask[:, None]).sum(dim=2)
    return total / counts


def normed(norm: nn.Module, values: Tensor, mask: Tensor) -> Tensor:
    """Batch normalisation of (N, C, L), by statistics of the places that count."""
    if not norm.training:
        scaled: Tensor = norm(values) * mask[:, None]
        return scaled
    places = values.transpose(1, 2)
    flat = norm(places[mask])
    result = flat.new_zeros(places.shape)
    result[mask] = flat
    found: Tensor = result.transpose(1, 2)
    return found


class Convolution(nn.Module):
    """A convolution that keeps the length, batch normalisation, and ReLU where it is wanted."""

    def __init__(self, before: int, after: int, kernel: int) -> None:
        super().__init__()
        self.pad = nn.ConstantPad1d(((kernel - 1) // 2, kernel // 2), 0.0)
        self.convolution = nn.Conv1d(before, after, kernel, bias=False)
        self.norm = nn.BatchNorm1d(after)

    def forward(self, values: Tensor, mask: Tensor, *, activate: bool = True) -> Tensor:
        """(N, C, L), (N, L) -> (N, after, L)."""
        found = normed(self.norm, self.convolution(self.pad(values)), mask)
        return torch.relu(found) if activate else found
