"""Gradients of pictures and how much of them points where, as `convoy.data.hog` has them."""

import math

import torch
from torch import Tensor
from torch.nn import functional


def gradients(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Of (N, C, H, W): central differences across and down, (N, H, W), of the steepest channel's gradient."""
    padded = functional.pad(pixels, (1, 1, 1, 1), mode="replicate")
    x = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    y = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    best_x, best_y = x[:, 0], y[:, 0]
    for channel in range(1, pixels.shape[1]):
        other_x, other_y = x[:, channel], y[:, channel]
        steeper = other_x**2 + other_y**2 > best_x**2 + best_y**2
        best_x, best_y = torch.where(steeper, other_x, best_x), torch.where(steeper, other_y, best_y)
    return best_x, best_y


def by_orientation(x: Tensor, y: Tensor, bins: int, turn: float, cell: int, stride: int) -> Tensor:
    """(N, H, W) twice -> (N, bins, rows, columns): of each cell, how much of its gradients points where.

    The strength of a gradient is shared between the two nearest bins. One bin after the other: so what is
    worked on stays in the processor's cache.

    Args:
        turn: over which the bins go round: pi, where opposite directions are one, or 2 pi.
        cell: pixels a side.
        stride: pixels from one cell to the next.
    """
    strength = (x**2 + y**2).sqrt()
    place = torch.remainder(torch.atan2(y, x) * (bins / turn), bins)
    sums = []
    for number in range(bins):
        away = (place - number).abs()
        share = (1 - torch.minimum(away, bins - away)).clamp(min=0) * strength
        sums.append(functional.avg_pool2d(share[:, None], cell, stride=stride))
    return torch.cat(sums, dim=1) * cell**2


def reducing(before: int, after: int) -> Tensor:
    """(after, before): a matrix that averages `before` places into `after`, as cv2.INTER_AREA does."""
    edges = torch.arange(after + 1, dtype=torch.float64) * (before / after)
    places = torch.arange(before, dtype=torch.float64)
    low = torch.maximum(edges[:-1, None], places[None])
    high = torch.minimum(edges[1:, None], places[None] + 1)
    return ((high - low).clamp(min=0) * (after / before)).float()


def unit(values: Tensor, dim: int, least: float = 1e-6) -> Tensor:
    """Along `dim`, of length 1."""
    return values / ((values**2).sum(dim=dim, keepdim=True) + least).sqrt()


HALF_TURN, WHOLE_TURN = math.pi, 2 * math.pi
