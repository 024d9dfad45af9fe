"""Histograms of oriented gradients (Dalal and Triggs, CVPR 2005) and a classifier on them.

The same features as `convoy.data.hog` computes in numpy, whose cells and numbers these are, in operations
that can be exported; a test holds the two together.
"""

import torch
from torch import Tensor, nn

from convoy.config.classical import HogConfig
from convoy.data import hog
from convoy.models._classical import gradients, heads
from convoy.models._classical.body import Classical, Features
from convoy.models._spec import NetworkSpec


class Hog(Features):
    """pixels (N, C, H, W) from 0 to 255 -> blocks of 2×2 cells (N, D); tiny pictures give their pixels."""

    down: Tensor
    across: Tensor

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self._window = hog.window(spec.height, spec.width)
        self.width = spec.channels * spec.height * spec.width
        if self._window is not None:
            rows, columns, cell = self._window
            self.width = (rows - 1) * (columns - 1) * 4 * hog.ORIENTATIONS
            self._exact = (rows * cell, columns * cell) == (spec.height, spec.width)
            self.register_buffer("down", gradients.reducing(spec.height, rows * cell), persistent=False)
            self.register_buffer("across", gradients.reducing(spec.width, columns * cell), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        if self._window is None:
            return pixels.permute(0, 2, 3, 1).flatten(1) / 255
        cell = self._window[2]
        pixels = pixels.round()  # whole numbers again, as they were: equally steep channels are equal
        if not self._exact:
            pixels = self.down @ pixels @ self.across.T
        x, y = gradients.gradients(pixels)
        cells = gradients.by_orientation(x, y, hog.ORIENTATIONS, gradients.HALF_TURN, cell, cell)
        corners = [cells[:, :, :-1, :-1], cells[:, :, :-1, 1:], cells[:, :, 1:, :-1], cells[:, :, 1:, 1:]]
        blocks = gradients.unit(torch.cat(corners, dim=1), 1)
        blocks = gradients.unit(blocks.clamp(max=hog.CLIP), 1)
        return blocks.permute(0, 2, 3, 1).flatten(1)


def normalisation(config: HogConfig, spec: NetworkSpec) -> tuple[list[float], list[float]]:  # noqa: ARG001
    """Gradients are of grey levels as they are stored."""
    return [0.0] * spec.channels, [1 / 255] * spec.channels


def build(config: HogConfig, spec: NetworkSpec) -> nn.Module:
    return Classical(Hog(spec), heads.head(config.classifier, spec.outputs))
