"""Kim, Convolutional neural networks for sentence classification, EMNLP 2014 (arXiv 1408.5882)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from convoy.config.text_models import TextCnnConfig
from convoy.models._series.masking import masked_max
from convoy.models._spec import TextSpec
from convoy.models._text.embedding import Embedding, known


class _Bounded(nn.Linear):
    """A dense layer whose rows of weights are not longer than `most`: longer ones are used at that length.

    The paper rescales the weights after each step; used so, they have the same effect.
    """

    def __init__(self, inputs: int, outputs: int, most: float | None) -> None:
        super().__init__(inputs, outputs)
        self._most = most

    def forward(self, values: Tensor) -> Tensor:
        if self._most is None:
            return super().forward(values)
        norms = self.weight.norm(dim=1, keepdim=True).clamp(min=self._most)
        return functional.linear(values, self.weight * (self._most / norms), self.bias)


class TextCnn(nn.Module):
    """ids (N, L) -> (N, outputs); padding does not change an answer."""

    def __init__(self, config: TextCnnConfig, spec: TextSpec) -> None:
        super().__init__()
        self.embedding = Embedding(config.embedding, spec)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(self.embedding.size, config.filters, kernel, padding=kernel - 1)
            for kernel in config.kernels
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = _Bounded(config.filters * len(config.kernels), spec.outputs, config.max_norm)

    def forward(self, ids: Tensor) -> Tensor:
        vectors, mask = self.embedding(ids), known(ids)
        lengths = mask.sum(dim=1, keepdim=True)
        found = []
        for convolution in self.convolutions:
            assert isinstance(convolution, nn.Conv1d)
            features = functional.relu(convolution(vectors))
            places = torch.arange(features.shape[2], device=ids.device)[None]
            # the windows that hold a token: k - 1 more than there are tokens
            counts = places < lengths + (convolution.kernel_size[0] - 1)
            found.append(masked_max(features, counts))
        logits: Tensor = self.head(self.dropout(torch.cat(found, dim=1)))
        return logits


def build(config: TextCnnConfig, spec: TextSpec) -> nn.Module:
    """Raises:
    ConfigError: the file of word vectors cannot be read.
    """
    return TextCnn(config, spec)
