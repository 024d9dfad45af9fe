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
    if pixels.shape[1] == 1:
        return x[:, 0], y[:, 0]
    steep = x**2 + y**2
    best, best_x, best_y = steep[:, 0], x[:, 0], y[:, 0]
    for channel in range(1, pixels.shape[1]):
        steeper = (steep[:, channel] > best).to(x.dtype)  # as numbers: `torch.where` takes twice as long
        best = torch.maximum(best, steep[:, channel])
        best_x = best_x + (x[:, channel] - best_x) * steeper
        best_y = best_y + (y[:, channel] - best_y) * steeper
    return best_x, best_y


def by_orientation(x: Tensor, y: Tensor, bins: int, turn: float, cell: int, stride: int) -> Tensor:
    """(N, H, W) twice -> (N, bins, rows, columns): of each cell, how much of its gradients points where.

    The strength of a gradient is shared between the two nearest bins: what has gone past a bin, from 0 to 1,
    is the next one's, so a bin has what went past the one before less what went past itself. One bin after
    the other: so what is worked on stays in the processor's cache.

    Args:
        turn: over which the bins go round: pi, where opposite directions are one, or 2 pi.
        cell: pixels a side.
        stride: pixels from one cell to the next.
    """
    strength = (x**2 + y**2).sqrt()
    place = torch.remainder(torch.atan2(y, x) * (bins / turn), bins)

    def of_cells(values: Tensor) -> Tensor:
        return functional.avg_pool2d(values[:, None], cell, stride=stride)

    past = [of_cells((place - number).clamp(0, 1) * strength) for number in range(bins)]
    before = [of_cells(strength) + past[-1], *past[:-1]]  # what is past the last bin goes to the first
    sums = [earlier - later for earlier, later in zip(before, past, strict=True)]
    return torch.cat(sums, dim=1).clamp(min=0) * cell**2


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
