"""The whole network from stored pixels to logits: normalisation inside, so it travels with the weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from convoy import plugins
from convoy.config.model import ModelConfig
from convoy.errors import IntegrityError
from convoy.io import read_json
from convoy.models._spec import NetworkSpec

_MODEL: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)


class Network(nn.Module):
    """uint8 images (N, H, W, C) -> logits (N, outputs) in fp32."""

    mean: Tensor  # (1, C, 1, 1), of pixels / 255
    std: Tensor

    def __init__(self, body: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))
        self.memory_format = torch.contiguous_format

    def lay_out(self, memory_format: torch.memory_format) -> "Network":
        """Keep weights and activations in `memory_format` from now on."""
        self.memory_format = memory_format
        return self.to(memory_format=memory_format)

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.permute(0, 3, 1, 2).to(torch.float32).contiguous(memory_format=self.memory_format)
        logits: Tensor = self.body((pixels / 255 - self.mean) / self.std)
        return logits.float()


def build(config: ModelConfig, preprocessor: Mapping[str, Any], *, pretrained: bool = True) -> Network:
    """A fresh network for a model section and a fitted preprocessor; seed torch before.

    Pixels are normalised with the training data's mean and deviation, or with those that weights learned
    before want (the plugin's `normalisation`).

    Args:
        pretrained: load such weights where the section names them.

    Raises:
        ConfigError: the model does not fit the images, or the named weights do not fit the model.
        ResourceError: the named weights, or the package that knows the model, are not here.
    """
    spec = NetworkSpec(
        channels=preprocessor["spec"]["channels"],
        height=preprocessor["spec"]["height"],
        width=preprocessor["spec"]["width"],
        outputs=len(preprocessor["classes"]),
        pretrained=pretrained,
    )
    plugin = plugins.load("model", config.name)
    body = plugin.build(config, spec)
    wanted = plugin.normalisation(config, spec) if hasattr(plugin, "normalisation") else None
    return Network(body, *(wanted or (preprocessor["mean"], preprocessor["std"])))


def load(train_dir: Path, preprocessor: Mapping[str, Any]) -> Network:
    """The trained network of a train stage, in evaluation mode.

    Raises:
        IntegrityError: the weights are damaged or do not belong to the recorded model.
    """
    training = read_json(train_dir / "training.json")
    network = build(_MODEL.validate_python(training["model"]), preprocessor, pretrained=False)
    weights = train_dir / "model.safetensors"
    try:
        network.load_state_dict(load_file(weights))
    except (RuntimeError, SafetensorError) as error:
        raise IntegrityError(
            "the weights do not fit the model that training.json names",
            where=f"{weights}: {error}",
            fix="run the train stage again",
        ) from None
    return network.eval()
