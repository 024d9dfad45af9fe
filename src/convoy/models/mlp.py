"""Dense layers over a row's numbers, and entity embeddings of its categories (Guo and Berkhahn 2016)."""

import torch
from torch import Tensor, nn

from convoy.config.table_models import MlpConfig
from convoy.errors import ConfigError
from convoy.models._blocks.activations import activation
from convoy.models._spec import TableSpec

_UNKNOWN = 1  # the code of a category that was not seen in training
_MOST = 50


class Mlp(nn.Module):
    """features (N, F), whose last columns are codes -> (N, outputs)."""

    def __init__(self, config: MlpConfig, spec: TableSpec) -> None:
        super().__init__()
        self._numbers = spec.numbers
        widths = sizes(config, spec)
        self.embeddings = nn.ModuleList(
            nn.Embedding(codes, width) for (_, codes), width in zip(spec.columns, widths, strict=True)
        )
        for each in self.embeddings:
            assert isinstance(each, nn.Embedding)
            nn.init.normal_(each.weight, std=0.1)
            with torch.no_grad():
                each.weight[_UNKNOWN] = 0  # until it is trained (augment: unknown), it says nothing
        layers: list[nn.Module] = [nn.Dropout(config.input_dropout)] if config.input_dropout else []
        width = spec.numbers + sum(widths)
        for hidden in config.hidden:
            layers += [nn.Linear(width, hidden), *_norm(config.norm, hidden), *activation(config.activation)]
            layers += [nn.Dropout(config.dropout)] if config.dropout else []
            width = hidden
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(width, spec.outputs)

    def forward(self, features: Tensor) -> Tensor:
        codes = features[:, self._numbers :].long()
        vectors = [embed(codes[:, number]) for number, embed in enumerate(self.embeddings)]
        logits: Tensor = self.head(self.hidden(torch.cat([features[:, : self._numbers], *vectors], dim=1)))
        return logits


def sizes(config: MlpConfig, spec: TableSpec) -> list[int]:
    """Of the columns' vectors.

    Raises:
        ConfigError: a column is named that is not embedded.
    """
    given = config.embedding
    named = given if isinstance(given, dict) else {}
    known = [name for name, _ in spec.columns]
    strange = sorted(set(named) - set(known))
    if strange:
        raise ConfigError(
            f"{', '.join(map(repr, strange))} is no embedded column; there are {', '.join(known) or 'none'}",
            where="params.yaml: model.embedding",
            fix="name categories that prepare.categories.encode: embedding gives",
        )
    if isinstance(given, int):
        return [given] * len(known)
    return [named.get(name, min(_MOST, (codes + 1) // 2)) for name, codes in spec.columns]


def _norm(name: str, width: int) -> list[nn.Module]:
    layers: dict[str, list[nn.Module]] = {
        "none": [],
        "batch": [nn.BatchNorm1d(width)],
        "layer": [nn.LayerNorm(width)],
    }
    return layers[name]


def build(config: MlpConfig, spec: TableSpec) -> nn.Module:
    """Raises:
    ConfigError: model.embedding names a column that is not embedded.
    """
    return Mlp(config, spec)
