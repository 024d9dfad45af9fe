"""Pictures: normalised by the training data's mean and deviation, channels before rows and columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from convoy import plugins
from convoy.config.model import ModelConfig
from convoy.models._spec import NetworkSpec
from convoy.training.network import Network


class ImageNetwork(Network):
    """uint8 images (N, H, W, C) -> logits (N, outputs) in fp32."""

    inputs = ("images",)
    mean: Tensor  # (1, C, 1, 1), of pixels / 255
    std: Tensor

    def __init__(self, body: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__(body)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.permute(0, 3, 1, 2).to(torch.float32).contiguous(memory_format=self.memory_format)
        logits: Tensor = self.body((pixels / 255 - self.mean) / self.std)
        return logits.float()

    def example(self, shape: Sequence[int]) -> tuple[Tensor, ...]:
        return (torch.zeros(*shape, dtype=torch.uint8),)

    def free(self) -> tuple[dict[int, str], ...]:
        return ({0: "batch"},)


class Reconstructing(ImageNetwork):
    """uint8 images (N, H, W, C) -> (N, 1 + K + C·H·W): error, code, and the reconstruction's pixels (0 to 1).

    The error is the mean squared one over the pixels: of an anomaly, its score.
    """

    def forward(self, images: Tensor) -> Tensor:
        pixels = (
            images.permute(0, 3, 1, 2).to(torch.float32).contiguous(memory_format=self.memory_format) / 255
        )
        found: Tensor = self.body((pixels - self.mean) / self.std).float()
        wanted = pixels.flatten(1)
        error = (found[:, -wanted.shape[1] :] - wanted).square().mean(1, keepdim=True)
        return torch.cat([error, found], dim=1)


def build(config: ModelConfig, preprocessor: Mapping[str, Any], *, pretrained: bool = True) -> ImageNetwork:
    """Pixels are normalised with the training data's mean and deviation, or with those that weights learned
    before want (the plugin's `normalisation`).
    """
    spec = NetworkSpec(
        channels=preprocessor["spec"]["channels"],
        height=preprocessor["spec"]["height"],
        width=preprocessor["spec"]["width"],
        outputs=len(preprocessor["classes"]),
        pretrained=pretrained,
        reconstructs=preprocessor.get("reconstructs", False),
    )
    plugin = plugins.load("model", config.name)
    body = plugin.build(config, spec)
    wanted = plugin.normalisation(config, spec) if hasattr(plugin, "normalisation") else None
    kind = Reconstructing if spec.reconstructs else ImageNetwork
    return kind(body, *(wanted or (preprocessor["mean"], preprocessor["std"])))


def shape(preprocessor: Mapping[str, Any], rows: int) -> tuple[int, int, int, int]:
    """(rows, H, W, C)."""
    spec = preprocessor["spec"]
    return rows, spec["height"], spec["width"], spec["channels"]


def params(preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    spec = preprocessor["spec"]
    return {"image": f"{spec['height']}×{spec['width']}×{spec['channels']} {spec['resize']}"}
