"""Squeeze-and-excitation: J. Hu et al., Squeeze-and-Excitation Networks, CVPR 2018."""

from torch import Tensor, nn


class SqueezeExcite(nn.Module):
    """(N, C, H, W) -> the same: each channel times its part of sigmoid(W2 relu(W1 means + b1) + b2).

    Its two layers are dense ones, so that the last convolution of a network stays one that sees pictures.
    """

    def __init__(self, channels: int, ratio: float) -> None:
        super().__init__()
        hidden = max(1, round(channels * ratio))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze = nn.Linear(channels, hidden)
        self.activation = nn.ReLU()
        self.excite = nn.Linear(hidden, channels)
        self.gate = nn.Sigmoid()

    def forward(self, maps: Tensor) -> Tensor:
        means = self.pool(maps).flatten(1)
        weights: Tensor = self.gate(self.excite(self.activation(self.squeeze(means))))
        return maps * weights[:, :, None, None]
