"""A store that lives on the device: batches are gathered there and never cross the bus."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from convoy.data.store import Store

SHARE = 0.6  # of the free memory that a store may take; the rest is the network's
_CHUNK = 1 << 28  # bytes sent at a time


def size(stores: Sequence[Store]) -> int:
    """Bytes of the images."""
    return sum(int(np.prod(store.images.shape)) for store in stores)


def fits(stores: Sequence[Store], free: int) -> bool:
    """Whether the stores may live in `free` bytes of memory."""
    return size(stores) <= SHARE * free


class Resident:
    """Images and targets of some stores, read as if they were one, on a device."""

    def __init__(self, stores: Sequence[Store], device: torch.device) -> None:
        shape = stores[0].images.shape[1:]
        total = sum(len(store) for store in stores)
        self.images = torch.empty((total, *shape), dtype=torch.uint8, device=device)  # (N, H, W, C)
        self.target = torch.cat([torch.tensor(np.array(store.target)) for store in stores]).to(device)
        rows = max(1, _CHUNK // max(1, int(np.prod(shape))))
        at = 0
        for store in stores:
            for start in range(0, len(store), rows):
                part = np.array(store.images[start : start + rows])
                self.images[at : at + len(part)] = torch.from_numpy(part).to(device)
                at += len(part)

    def gather(self, indices: Tensor) -> dict[str, Tensor]:
        """The samples at `indices` (B,), a tensor on the device."""
        return {"images": self.images[indices], "target": self.target[indices]}
