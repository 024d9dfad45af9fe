"""Gated recurrent units: Cho et al., Learning phrase representations, EMNLP 2014 (arXiv 1406.1078)."""

from torch import nn

from convoy.config.text_models import GruConfig
from convoy.models._series.recurrent import Recurrent
from convoy.models._spec import SequenceSpec, TextSpec


def build(config: GruConfig, spec: TextSpec | SequenceSpec) -> nn.Module:
    """ids (N, L) or values (N, L, C) -> (N, outputs).

    Raises:
        ConfigError: the file of word vectors cannot be read.
    """
    return Recurrent(nn.GRU, config, spec)
