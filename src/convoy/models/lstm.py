"""Long short-term memory: Hochreiter and Schmidhuber, Neural Computation 9 (1997)."""

from torch import nn

from convoy.config.text_models import LstmConfig
from convoy.models._spec import TextSpec
from convoy.models._text.recurrent import Recurrent


def build(config: LstmConfig, spec: TextSpec) -> nn.Module:
    """ids (N, L) -> (N, outputs).

    Raises:
        ConfigError: the file of word vectors cannot be read.
    """
    return Recurrent(nn.LSTM, config, spec)
