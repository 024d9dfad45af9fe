"""Long short-term memory: Hochreiter and Schmidhuber, Neural Computation 9 (1997)."""

from torch import nn

from convoy.config.text_models import LstmConfig
from convoy.models._series.recurrent import Recurrent
from convoy.models._spec import SequenceSpec, TextSpec


def build(config: LstmConfig, spec: TextSpec | SequenceSpec) -> nn.Module:
    """ids (N, L) or values (N, L, C) -> (N, outputs).

    Raises:
        ConfigError: the file of word vectors cannot be read.
    """
    return Recurrent(nn.LSTM, config, spec)
