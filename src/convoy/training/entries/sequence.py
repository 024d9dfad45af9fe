"""Sequences: scaled values go to the architecture as they are; NaN behind the shorter ones is the mask."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from convoy import plugins
from convoy.config.model import ModelConfig
from convoy.models._spec import SequenceSpec
from convoy.training.network import Network


class SequenceNetwork(Network):
    """float32 values (N, L, C), NaN behind the shorter ones -> logits (N, outputs) in fp32."""

    inputs = ("signal",)

    def forward(self, values: Tensor) -> Tensor:
        logits: Tensor = self.body(values)
        return logits.float()

    def example(self, shape: Sequence[int]) -> tuple[Tensor, ...]:
        return (torch.zeros(*shape),)

    def free(self) -> tuple[dict[int, str], ...]:
        return ({0: "batch", 1: "length"},)


def build(
    config: ModelConfig, preprocessor: Mapping[str, Any], *, pretrained: bool = True
) -> SequenceNetwork:
    spec = SequenceSpec(
        channels=int(preprocessor["channels"]),
        outputs=len(preprocessor["classes"]),
        pretrained=pretrained,
        length=int(preprocessor["length"]),
    )
    return SequenceNetwork(plugins.load("model", config.name).build(config, spec))


def shape(preprocessor: Mapping[str, Any], rows: int) -> tuple[int, int, int]:
    """(rows, values of a usual sequence, channels)."""
    return rows, max(2, int(preprocessor["length"])), int(preprocessor["channels"])


def params(preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    spec = preprocessor["spec"]
    return {"sequence": f"{preprocessor['channels']} channel(s), scaled by {spec['scale']}"}
