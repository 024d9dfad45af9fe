"""Random convolutions of sequences and a linear classifier: ROCKET (Dempster, Petitjean and Webb, Data Mining
and Knowledge Discovery 2020, arXiv 1910.13051), with three things of MiniRocket (KDD 2021): kernels of nine
values, dilations spread evenly instead of drawn, and biases that are quantiles of what the kernels give for
training sequences.

The share of places above the bias is counted with a narrow ramp in place of a step: so an answer does not
hang on the last bit of a convolution, and is the same in another runtime.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from convoy.config.classical import RocketConfig
from convoy.models._classical import heads
from convoy.models._classical.body import Classical, Features
from convoy.models._series.entry import Values
from convoy.models._spec import SequenceSpec

_SIZE = 9
_RAMP = 0.02  # width, of the deviation of what the kernel gives
_MOST = 512  # training sequences that biases are taken from
_GOLDEN = (math.sqrt(5) - 1) / 2


class Rocket(Features):
    """values (N, L, C), NaN behind the shorter ones -> maxima and shares of the kernels (N, 2 kernels)."""

    scaled = True
    learns = True
    kernel: Tensor  # (kernels, C, 9)
    bias: Tensor  # (kernels,)
    ramp: Tensor  # (kernels,)

    def __init__(self, config: RocketConfig, spec: SequenceSpec) -> None:
        super().__init__()
        self.entry = Values(spec.channels)
        self.width = 2 * config.kernels
        longest = max(1.0, (spec.length - 1) / (_SIZE - 1))
        dilations = sorted({int(2**power) for power in torch.linspace(0, math.log2(longest), 32).tolist()})
        share, more = divmod(config.kernels, len(dilations))
        self._groups = [
            (dilation, count)
            for number, dilation in enumerate(dilations)
            if (count := share + (number < more))
        ]
        self.register_buffer("kernel", _drawn(config.kernels, spec.channels))
        self.register_buffer("bias", torch.zeros(config.kernels))
        self.register_buffer("ramp", torch.ones(config.kernels))
        self._seen: list[Tensor] = []

    def convolved(self, batch: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Of each dilation: (N, kernels, L), and (N, 1, L) where it counts.

        Every other dilation does not look beyond the ends, unless the sequence is shorter than its window.
        """
        values, mask = self.entry(batch)
        places = torch.arange(mask.shape[1], device=mask.device)[None]
        lengths = mask.sum(dim=1, keepdim=True)
        found, first = [], 0
        for number, (dilation, count) in enumerate(self._groups):
            reach = dilation * (_SIZE // 2)
            made = functional.conv1d(
                values, self.kernel[first : first + count], padding=reach, dilation=dilation
            )
            counts = mask
            if number % 2:
                inside = mask & (places >= reach) & (places + reach < lengths)
                fits = inside.any(dim=1, keepdim=True)
                counts = inside | (mask & ~fits)
            found.append((made, counts[:, None]))
            first += count
        return found

    def forward(self, batch: Tensor) -> Tensor:
        parts, first = [], 0
        for made, counts in self.convolved(batch):
            mine = slice(first, first + made.shape[1])
            above = (made - self.bias[mine, None]) / self.ramp[mine, None]
            shares = ((above + 0.5).clamp(0, 1) * counts).sum(dim=2) / counts.sum(dim=2).clamp(min=1)
            parts += [shares, made.masked_fill(~counts, float("-inf")).amax(dim=2)]
            first += made.shape[1]
        return torch.cat(parts, dim=1)

    def see(self, batch: Tensor) -> None:
        room = _MOST - sum(len(each) for each in self._seen)
        if room > 0:
            self._seen.append(batch[:room].clone())

    def learn(self, seed: int) -> None:  # noqa: ARG002  # the kernels were drawn when it was built
        biases, ramps = [], []
        for number, kernels in enumerate(zip(*map(self.convolved, self._seen), strict=True)):
            of = [made.transpose(1, 2)[counts[:, 0]] for made, counts in kernels]  # (places, kernels)
            given = torch.cat(of).T
            first = sum(count for _, count in self._groups[:number])
            asked = (torch.arange(first, first + len(given)) * _GOLDEN + _GOLDEN) % 1
            place = (asked * (given.shape[1] - 1)).round().long()
            biases.append(given.sort(dim=1).values.gather(1, place[:, None])[:, 0])
            ramps.append((given.std(dim=1, correction=0) * _RAMP).clamp(min=1e-6))
        self._seen.clear()
        self.put(bias=torch.cat(biases), ramp=torch.cat(ramps))


def _drawn(kernels: int, channels: int) -> Tensor:
    """(kernels, C, 9) normal weights with mean 0, in a random few of many channels."""
    weights = torch.randn(kernels, channels, _SIZE)
    weights -= weights.mean(dim=2, keepdim=True)
    most = math.log2(min(channels, _SIZE) + 1)
    wanted = (2 ** (torch.rand(kernels) * most)).long().clamp(1, channels)
    ranks = torch.rand(kernels, channels).argsort(dim=1).argsort(dim=1)
    return weights * (ranks < wanted[:, None])[:, :, None]


def build(config: RocketConfig, spec: SequenceSpec) -> nn.Module:
    """Seed torch before: the kernels are drawn here."""
    return Classical(Rocket(config, spec), heads.head(config.classifier, spec.outputs))
