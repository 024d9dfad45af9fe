"""Batches of a loader as tensors, for the epoch that the trainer is in."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from convoy.data.loader import BatchLoader


class TensorFeed:
    """What Lightning iterates over: a sized iterable whose stream is keyed by the trainer's epoch."""

    def __init__(self, loader: BatchLoader, epoch: Callable[[], int] = lambda: 0) -> None:
        self._loader = loader
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        self._loader.set_epoch(self._epoch())
        for batch in self._loader:
            yield {name: torch.from_numpy(batch[name]) for name in ("images", "target")}
