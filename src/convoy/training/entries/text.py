"""Texts: token ids go to the architecture as they are; it has the embeddings."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from convoy import plugins
from convoy.config.model import ModelConfig
from convoy.models._spec import TextSpec
from convoy.training.network import Network


class TextNetwork(Network):
    """int64 ids (N, L), 0 behind the shorter ones -> logits (N, outputs) in fp32."""

    inputs = ("tokens",)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.body(tokens)
        return logits.float()

    def example(self, shape: Sequence[int]) -> tuple[Tensor, ...]:
        return (torch.ones(*shape, dtype=torch.int64),)  # <unk>

    def free(self) -> tuple[dict[int, str], ...]:
        return ({0: "batch", 1: "length"},)


def build(config: ModelConfig, preprocessor: Mapping[str, Any], *, pretrained: bool = True) -> TextNetwork:
    spec = TextSpec(
        vocabulary=preprocessor["vocabulary"],
        outputs=len(preprocessor["classes"]),
        pretrained=pretrained,
    )
    return TextNetwork(plugins.load("model", config.name).build(config, spec))


def shape(preprocessor: Mapping[str, Any], rows: int) -> tuple[int, int]:
    """(rows, tokens of a usual text)."""
    return rows, max(2, int(preprocessor["length"]))


def params(preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    spec = preprocessor["spec"]
    return {"tokens": f"{spec['tokens']}, {len(preprocessor['vocabulary']):,} known"}
