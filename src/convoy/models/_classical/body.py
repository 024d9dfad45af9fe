"""A classical model as a network: features, and a head whose numbers a fit sets instead of training.

The fit itself is in `convoy.training.classical`. Here is what predicts, so that weights, ONNX, bundle and
reports are those of every other model.
"""

from typing import Any

import torch
from torch import Tensor, nn


class Grown(nn.Module):
    """A module whose tensors get their sizes by a fit, or by loading what was fitted.

    A side of length 0 is one that is not known yet.
    """

    def put(self, **tensors: Tensor) -> None:
        """What was fitted."""
        self._grow(tensors)
        with torch.no_grad():
            for name, value in tensors.items():
                held = getattr(self, name)
                held.copy_(value.to(held.dtype))
        self.settle()

    def settle(self) -> None:
        """Called when the tensors are those of a fit."""

    def _grow(self, tensors: dict[str, Tensor]) -> None:
        for name, value in tensors.items():
            held: Tensor = getattr(self, name)
            sides = zip(held.shape, value.shape, strict=False)
            if held.ndim == value.ndim and all(old in (0, new) for old, new in sides):
                held.data = held.new_zeros(value.shape)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *rest: Any, **named: Any
    ) -> None:
        own = [*self._parameters, *self._buffers]
        self._grow({name: state_dict[prefix + name] for name in own if prefix + name in state_dict})
        super()._load_from_state_dict(state_dict, prefix, *rest, **named)
        self.settle()


class Features(Grown):
    """From what the modality gives to numbers (N, D) fp32.

    Attributes:
        width: D; None: the fit decides.
        sparse: most of the numbers are 0.
        scaled: linear heads get them with mean 0 and deviation 1 (which goes into their weights).
        learns: something is fitted on the training split before: `see` gets its batches, then `learn`.
    """

    width: int | None = None
    sparse: bool = False
    scaled: bool = False
    learns: bool = False

    def see(self, batch: Tensor) -> None:
        """A batch of the training split, to learn from; batches come in order."""

    def learn(self, seed: int) -> None:
        """What was seen is all.

        Raises:
            DataError: nothing can be learned from it.
        """


class Classical(nn.Module):
    """What the modality gives -> (N, outputs): logits, log-probabilities or margins, as the head has them."""

    def __init__(self, features: Features, head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.head = head

    def forward(self, batch: Tensor) -> Tensor:
        scores: Tensor = self.head(self.features(batch))
        return scores
