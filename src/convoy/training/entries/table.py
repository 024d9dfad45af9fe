"""Rows: the features go to the architecture as they are; what was fitted lies before, in numpy."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from convoy import plugins
from convoy.config.model import ModelConfig
from convoy.models._spec import TableSpec
from convoy.training.network import Network


class TableNetwork(Network):
    """float32 features (N, F), codes of categories last -> logits (N, outputs) in fp32."""

    inputs = ("features",)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.body(features)
        return logits.float()

    def example(self, shape: Sequence[int]) -> tuple[Tensor, ...]:
        return (torch.zeros(*shape, dtype=torch.float32),)

    def free(self) -> tuple[dict[int, str], ...]:
        return ({0: "batch"},)


def build(config: ModelConfig, preprocessor: Mapping[str, Any], *, pretrained: bool = True) -> TableNetwork:
    spec = preprocessor["spec"]
    columns = [(each["name"], each["size"]) for each in spec["embedded"]]
    of = TableSpec(
        numbers=len(spec["kept"]) - len(columns), columns=columns, outputs=len(preprocessor["classes"])
    )
    return TableNetwork(plugins.load("model", config.name).build(config, of))


def shape(preprocessor: Mapping[str, Any], rows: int) -> tuple[int, int]:
    """(rows, features)."""
    return rows, len(preprocessor["spec"]["kept"])


def params(preprocessor: Mapping[str, Any]) -> dict[str, Any]:
    spec = preprocessor["spec"]
    return {"columns": f"{len(spec['columns'])}, {len(spec['kept'])} features, scale {spec['form']}"}
