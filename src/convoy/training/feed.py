"""Batches of a loader as tensors, for the epoch that the trainer is in."""

from abc import ABC, abstractmethod
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
from convoy.training.world import ALONE, World

Tensors = dict[str, Tensor]
# What the network takes (images: (N, H, W, C) uint8), target (N,) int64 or (N, K) float; of several ranks,
# `share` (see Feed)
TensorBatch = dict[str, Any]


class Feed(ABC):
    """What Lightning iterates over: a sized iterable whose stream is keyed by the trainer's epoch.

    Its state is the number of batches of the epoch that were taken; it goes on behind them.

    Args:
        world: of several ranks, each makes its rows of every batch, from whole batches and the same random
            numbers: together they see what one alone would. A batch then holds `share`: the rank's part of
            the rows, as a multiple of an equal part; 0 where it has none and was given a row in their place.
    """

    def __init__(
        self, loader: BatchLoader, epoch: Callable[[], int] = lambda: 0, *, world: World = ALONE
    ) -> None:
        self._loader = loader
        self._epoch = epoch
        self._world = world
        self._first = 0
        self._taken = 0

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[TensorBatch]:
        # A generator: Lightning makes the iterator of a resumed training before it knows the epoch.
        self._loader.set_epoch(self._epoch())
        self._taken, self._first = self._first, 0
        for batch in self._from(self._taken):
            self._taken += 1
            yield batch

    @abstractmethod
    def _from(self, first: int) -> Iterator[TensorBatch]:
        """The batches of the epoch from `first` on."""

    def state_dict(self) -> dict[str, int]:
        return {"batch": self._taken}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._first = state_dict["batch"]


class TensorFeed(Feed):
    """Batches made on the host.

    Args:
        pinned: in memory that a GPU can fetch from while it works.
    """

    def __init__(
        self,
        loader: BatchLoader,
        epoch: Callable[[], int] = lambda: 0,
        *,
        pinned: bool = False,
        world: World = ALONE,
    ) -> None:
        super().__init__(loader, epoch, world=world)
        self._pinned = pinned

    def _from(self, first: int) -> Iterator[TensorBatch]:
        return self._loader.each(self._make, first)

    def _make(self, number: int, indices: Indices) -> TensorBatch:
        if self._world.size == 1:
            return _tensors(self._loader.batch(number, indices), self._pinned)
        rows, share = self._world.rows(len(indices))
        if self._loader.augment is None:
            mine = self._loader.plain(indices[rows])
        else:
            mine = {name: values[rows] for name, values in self._loader.batch(number, indices).items()}
        return {**_tensors(mine, self._pinned), "share": share}


class DeviceFeed(Feed):
    """The same stream with the pixels of the augmentation computed on the device.

    The loader's threads draw the random numbers ahead. Whether the images already live on the device or are
    sent batch by batch changes the speed and no bit.

    Args:
        policy: the device's form of the loader's augmentation, which it stands in for; None where it has
            none.
        images: the loader's stores on the device; None: they did not fit.
    """

    def __init__(
        self,
        loader: BatchLoader,
        device: torch.device,
        policy: DevicePolicy | None,
        images: Resident | None,
        epoch: Callable[[], int] = lambda: 0,
        *,
        world: World = ALONE,
    ) -> None:
        super().__init__(loader, epoch, world=world)
        self._device = device
        self._policy = policy
        self._resident = images

    def _from(self, first: int) -> Iterator[TensorBatch]:
        for source, drawn in self._loader.each(self._make, first):
            batch = {name: values.to(self._device, non_blocking=True) for name, values in source.items()}
            if self._resident is not None:
                batch = self._resident.gather(batch["indices"])
            if self._policy is not None:
                batch["images"] = self._policy.apply(batch["images"], drawn)
            yield self._mine(batch)

    def _mine(self, batch: Tensors) -> TensorBatch:
        if self._world.size == 1:
            return {**batch}
        rows, share = self._world.rows(len(batch["target"]))
        return {**{name: values[rows] for name, values in batch.items()}, "share": share}

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
    loader: BatchLoader,
    device: torch.device,
    epoch: Callable[[], int] = lambda: 0,
    *,
    world: World = ALONE,
) -> Feed:
    """The fastest feed for a device.

    On a GPU, where targets are classes, the augmentation runs there if each of its transforms has a form for
    it, and the images live there if they fit. Which one it is depends on the policy and the targets alone,
    not on the memory that happens to be free.
    """
    plain = all(store.keypoints is None and store.values is None for store in loader.stores)
    if device.type != "cuda" or loader.loading.collate is not None or not plain:
        return TensorFeed(loader, epoch, pinned=device.type == "cuda", world=world)
    policy = device_policy.of(loader.augment) if isinstance(loader.augment, Policy) else None
    if loader.augment is not None and policy is None:
        return TensorFeed(loader, epoch, pinned=True, world=world)
    free, _ = torch.cuda.mem_get_info(device)
    fits = resident.fits(loader.stores, free)
    images = Resident(loader.stores, device) if fits else None
    return DeviceFeed(loader, device, policy, images, epoch, world=world)


def _tensors(batch: dict[str, NDArray[Any]], pinned: bool) -> Tensors:
    found = {name: torch.from_numpy(values) for name, values in batch.items() if values.dtype.kind != "S"}
    return {name: values.pin_memory() for name, values in found.items()} if pinned else found
