"""Tables, colour adjustments, blur, noise and holes."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from convoy.data.batched._base import Drawn, per_channel
from convoy.data.batched.blur import Blurred, GaussianBlurForm
from convoy.data.batched.colour import ADJUSTMENTS, ColorJitterForm, Jittered, ToGrayForm
from convoy.data.batched.dropout import Holed, HoleForm
from convoy.data.batched.noise import GaussNoiseForm, Noisy
from convoy.data.batched.padding import border
from convoy.data.batched.tones import Toned, ToneForm
from convoy.data.device._base import sent, whole

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV's RGB2GRAY
_REFLECT_101 = 4  # OpenCV's border, and the default of its filters


def look_up(form: ToneForm, batch: Tensor, drawn: Toned) -> Tensor:
    tables = np.tile(np.arange(256, dtype=np.uint8), (len(batch), 1))
    tables[drawn.chosen] = drawn.tables
    values = batch.flatten(1).long()
    return sent(tables, batch).float().gather(1, values).view_as(batch)


def jitter(form: ColorJitterForm, batch: Tensor, drawn: Jittered) -> Tensor:
    """Step by step: in each, the samples are grouped by the adjustment that is next for them."""
    grey = batch.shape[1] == 1
    result = batch.clone()
    for step in range(len(ADJUSTMENTS)):
        for which, name in enumerate(ADJUSTMENTS):
            mine = np.flatnonzero(drawn.order[:, step] == which)
            if len(mine) == 0 or (grey and name in ("saturation", "hue")):
                continue
            at = sent(drawn.chosen[mine], batch)
            factor = sent(drawn.factors[mine, which], batch, torch.float32).view(-1, 1, 1, 1)
            result[at] = _ADJUST[name](result[at], factor)
    return result


def _brightness(batch: Tensor, factor: Tensor) -> Tensor:
    return (batch * factor).clamp_(0, 255).floor_()


def _contrast(batch: Tensor, factor: Tensor) -> Tensor:
    mean = _grey(batch).mean((1, 2, 3), keepdim=True)
    return (batch * factor + mean * (1 - factor)).clamp_(0, 255).floor_()


def _saturation(batch: Tensor, factor: Tensor) -> Tensor:
    return whole(batch * factor + _grey(batch) * (1 - factor))


def _hue(batch: Tensor, factor: Tensor) -> Tensor:
    """Through OpenCV's 8-bit HSV, whose hue counts degrees in twos and whose saturation has 256 steps."""
    red, green, blue = batch.unbind(1)
    high, which = batch.max(1)
    spread = high - batch.amin(1)
    safe = spread.clamp(min=1)
    sectors = torch.stack([(green - blue) / safe, 2 + (blue - red) / safe, 4 + (red - green) / safe], dim=1)
    sector = sectors.gather(1, which[:, None])[:, 0]
    hue = torch.where(spread > 0, (sector * 30).round() % 180, 0)
    saturation = (255 * spread / high.clamp(min=1)).round()
    turned = ((hue + 180 * factor[:, 0]) % 180).floor()
    return _from_hsv(turned / 30, saturation / 255, high)


def _from_hsv(sector: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Hue in sixths of the circle, saturation 0 to 1, value 0 to 255, each (B, H, W) -> (B, 3, H, W)."""
    channels = []
    for start in (5, 3, 1):  # red, green, blue (the closed form of the six cases)
        k = (start + sector) % 6
        channels.append(value * (1 - saturation * torch.minimum(k, 4 - k).clamp(0, 1)))
    return whole(torch.stack(channels, dim=1))


def _grey(batch: Tensor) -> Tensor:
    """(B, 1, H, W) whole values."""
    if batch.shape[1] == 1:
        return batch
    weights = torch.tensor(_GREY, device=batch.device).view(1, 3, 1, 1)
    return (batch * weights).sum(1, keepdim=True).round_()


_ADJUST = {"brightness": _brightness, "contrast": _contrast, "saturation": _saturation, "hue": _hue}


def to_gray(form: ToGrayForm, batch: Tensor, drawn: Drawn) -> Tensor:
    result = batch.clone()
    at = sent(drawn.chosen, batch)
    result[at] = _grey(batch[at]).expand(-1, batch.shape[1], -1, -1)
    return result


def blur(form: GaussianBlurForm, batch: Tensor, drawn: Blurred) -> Tensor:
    """A row of each kernel's weights, all as long as the longest, first across, then down."""
    if len(drawn.chosen) == 0:
        return batch
    reach = max(len(kernel) for kernel in drawn.kernels) // 2
    lines = np.zeros((len(drawn.kernels), 2 * reach + 1))
    for line, kernel in zip(lines, drawn.kernels, strict=True):
        first = reach - len(kernel) // 2
        line[first : first + len(kernel)] = kernel
    at = sent(drawn.chosen, batch)
    mine = batch[at]
    height, width = batch.shape[2:]
    rows = sent(border(np.arange(-reach, height + reach), height, _REFLECT_101), batch)
    columns = sent(border(np.arange(-reach, width + reach), width, _REFLECT_101), batch)
    weights = sent(lines, batch, torch.float32).repeat_interleave(batch.shape[1], 0)[:, None, None]
    pixels = mine[:, :, rows[:, None], columns].flatten(0, 1)[None]
    pixels = conv2d(pixels, weights, groups=len(weights))
    pixels = conv2d(pixels, weights.transpose(2, 3), groups=len(weights))
    result = batch.clone()
    result[at] = whole(pixels[0].view_as(mine))
    return result


def noise(form: GaussNoiseForm, batch: Tensor, drawn: Noisy) -> Tensor:
    """Normal numbers of the device's own generator: other noise than on the CPU, of the same distribution."""
    generator = torch.Generator(batch.device)
    generator.manual_seed(drawn.key)
    channels = batch.shape[1] if form.transform.per_channel else 1
    shape = (len(batch), channels, *batch.shape[2:])
    values = torch.randn(shape, generator=generator, device=batch.device)
    std, mean = np.zeros((2, len(batch)))
    std[drawn.chosen], mean[drawn.chosen] = 255 * drawn.std, 255 * drawn.mean
    std_, mean_ = (sent(x, batch, torch.float32).view(-1, 1, 1, 1) for x in (std, mean))
    return (batch + (values * std_ + mean_).trunc()).clamp_(0, 255)


def fill_holes(form: HoleForm, batch: Tensor, drawn: Holed) -> Tensor:
    """The first hole of every sample, then the second of those that have one, …"""
    values = np.array(per_channel(form.transform.fill, batch.shape[1])).astype(np.uint8)
    shade = sent(values, batch, torch.float32).view(1, -1, 1, 1)
    y = torch.arange(batch.shape[2], device=batch.device).view(1, 1, -1, 1)
    x = torch.arange(batch.shape[3], device=batch.device).view(1, 1, 1, -1)
    order = np.argsort(drawn.owners, kind="stable")
    owners, holes = drawn.owners[order], drawn.holes[order]
    turn = np.arange(len(owners)) - np.searchsorted(owners, owners)  # which of its sample's holes each one is
    for number in range(int(turn.max(initial=-1)) + 1):
        boxes = np.zeros((len(batch), 4), np.int64)
        boxes[owners[turn == number]] = holes[turn == number]
        left, top, right, bottom = sent(boxes, batch).view(-1, 4, 1, 1, 1).unbind(1)
        inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
        batch = torch.where(inside, shade, batch)
    return batch
