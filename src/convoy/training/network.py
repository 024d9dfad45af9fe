"""The whole network from stored samples to logits: what was fitted is inside and travels with the weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from convoy import plugins
from convoy.config.model import ModelConfig
from convoy.errors import IntegrityError
from convoy.io import read_json

_MODEL: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)


class Network(nn.Module):
    """From a batch to logits (N, outputs) in fp32, around the architecture; a modality's own derives from it.

    Attributes:
        inputs: what of a batch it takes, in order; the names of the inputs in ONNX, too.
        memory_format: of weights and activations.
    """

    inputs: tuple[str, ...]

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.memory_format = torch.contiguous_format

    def lay_out(self, memory_format: torch.memory_format) -> Self:
        """Keep weights and activations in `memory_format` from now on; it concerns pictures alone."""
        self.memory_format = memory_format
        return self.to(memory_format=memory_format)

    def example(self, shape: Sequence[int]) -> tuple[Tensor, ...]:
        """Inputs of nothing, to try and to measure with: the first has `shape`."""
        raise NotImplementedError

    def free(self) -> tuple[dict[int, str], ...]:
        """For each input, its axes of any length and their names."""
        raise NotImplementedError


def build(config: ModelConfig, preprocessor: Mapping[str, Any], *, pretrained: bool = True) -> Network:
    """A fresh network for a model section and a fitted preprocessor; seed torch before.

    Args:
        pretrained: load weights that were learned before, where the section names them.

    Raises:
        ConfigError: the model does not fit the data, or the named weights do not fit the model.
        ResourceError: the named weights, or the package that knows the model, are not here.
    """
    network: Network = entry(preprocessor).build(config, preprocessor, pretrained=pretrained)
    return network


def entry(preprocessor: Mapping[str, Any]) -> ModuleType:
    """The modality's part of training (see `convoy.training.entries`)."""
    return plugins.load("entry", preprocessor["modality"])


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
