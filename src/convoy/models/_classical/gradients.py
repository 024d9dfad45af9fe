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
    steepest = (x**2 + y**2).argmax(dim=1, keepdim=True)
    return x.gather(1, steepest)[:, 0], y.gather(1, steepest)[:, 0]


def by_orientation(x: Tensor, y: Tensor, bins: int, turn: float) -> Tensor:
    """(N, H, W) twice -> (N, bins, H, W): the strength of each gradient, shared between the two nearest bins.

    Args:
        turn: over which the bins go round: pi, where opposite directions are one, or 2 pi.
    """
    strength = (x**2 + y**2).sqrt()
    place = torch.remainder(torch.atan2(y, x) * (bins / turn), bins)
    numbers = torch.arange(bins, dtype=x.dtype, device=x.device)
    away = (place[:, None] - numbers[:, None, None]).abs()
    return (1 - torch.minimum(away, bins - away)).clamp(min=0) * strength[:, None]


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
