"""Batches of a loader as tensors, for the epoch that the trainer is in."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from convoy.data.augment import Policy
from convoy.data.batched import Drawn
from convoy.data.device import policy as device_policy
from convoy.data.device import resident
from convoy.data.device.policy import DevicePolicy
from convoy.data.device.resident import Resident
from convoy.data.loader import BatchLoader, Indices

Tensors = dict[str, Tensor]
_WANTED = ("images", "target", "keypoints")  # of what a store holds


class TensorFeed:
    """What Lightning iterates over: a sized iterable whose stream is keyed by the trainer's epoch.

    Args:
        pinned: in memory that a GPU can fetch from while it works.
    """

    def __init__(
        self, loader: BatchLoader, epoch: Callable[[], int] = lambda: 0, *, pinned: bool = False
    ) -> None:
        self._loader = loader
        self._epoch = epoch
        self._pinned = pinned

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Tensors]:
        # A generator: Lightning makes the iterator of a resumed training before it knows the epoch.
        self._loader.set_epoch(self._epoch())
        yield from self._loader.each(
            lambda number, indices: _tensors(self._loader.batch(number, indices), self._pinned)
        )


class DeviceFeed:
    """The same stream with the pixels of the augmentation computed on the device.

    The loader's threads draw the random numbers ahead. Whether the images already live on the device or are
    sent batch by batch changes the speed and no bit.

    Args:
        policy: the device's form of the loader's augmentation, which it stands in for; None where it has
        none. images: the loader's stores on the device; None: they did not fit.
    """

    def __init__(
        self,
        loader: BatchLoader,
        device: torch.device,
        policy: DevicePolicy | None,
        images: Resident | None,
        epoch: Callable[[], int] = lambda: 0,
    ) -> None:
        self._loader = loader
        self._device = device
        self._policy = policy
        self._resident = images
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Tensors]:
        self._loader.set_epoch(self._epoch())
        for source, drawn in self._loader.each(self._make):
            batch = {name: values.to(self._device, non_blocking=True) for name, values in source.items()}
            if self._resident is not None:
                batch = self._resident.gather(batch["indices"])
            if self._policy is not None:
                batch["images"] = self._policy.apply(batch["images"], drawn)
            yield batch

    def _make(self, number: int, indices: Indices) -> tuple[Tensors, list[Drawn]]:
        """The host's part of a batch: where its samples are, or the samples themselves; and what was
        drawn.
        """
        pinned = self._device.type == "cuda"
        host: dict[str, NDArray[Any]] = (
            self._loader.gather(indices) if self._resident is None else {"indices": indices}
        )
        if self._policy is None:
            return _tensors(host, pinned), []
        shape = (len(indices), *self._loader.stores[0].images.shape[1:])
        return _tensors(host, pinned), self._policy.draw(shape, self._loader.key(number))


def feed(
    loader: BatchLoader, device: torch.device, epoch: Callable[[], int] = lambda: 0
) -> TensorFeed | DeviceFeed:
    """The fastest feed for a device.

    On a GPU the augmentation runs there if each of its transforms has a form for it, and the images live
    there if they fit. Which one it is depends on the policy alone, not on the memory that happens to be free.
    """
    if device.type != "cuda":
        return TensorFeed(loader, epoch)
    policy = device_policy.of(loader.augment) if isinstance(loader.augment, Policy) else None
    if loader.augment is not None and policy is None:
        return TensorFeed(loader, epoch, pinned=True)
    free, _ = torch.cuda.mem_get_info(device)
    fits = resident.fits(loader.stores, free)
    return DeviceFeed(loader, device, policy, Resident(loader.stores, device) if fits else None, epoch)


def _tensors(batch: dict[str, NDArray[Any]], pinned: bool) -> Tensors:
    found = {name: torch.from_numpy(batch[name]) for name in (*_WANTED, "indices") if name in batch}
    return {name: values.pin_memory() for name, values in found.items()} if pinned else found
