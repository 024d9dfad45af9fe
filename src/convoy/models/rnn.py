"""Plain recurrent units: Elman, Finding structure in time, Cognitive Science 14 (1990)."""

from torch import nn

from convoy.config.text_models import RnnConfig
from convoy.models._series.elman import Elman
from convoy.models._series.recurrent import Recurrent
from convoy.models._spec import SequenceSpec, TextSpec


def build(config: RnnConfig, spec: TextSpec | SequenceSpec) -> nn.Module:
    """ids (N, L) or values (N, L, C) -> (N, outputs).

    Raises:
        ConfigError: the file of word vectors cannot be read.
    """
    return Recurrent(Elman, config, spec)
