"""Whole batches gathered from a store, the same stream on every machine and after every resume.

Randomness is counter-based: (seed, epoch) keys the order, (seed, epoch, batch) the augmentation. A thread
prepares the next batches while the network works on this one.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convoy.data.store import Store

Batch = dict[str, NDArray[Any]]
Images = NDArray[np.uint8]
Augment = Callable[[Images, int], Images]

_AHEAD = 3  # batches prepared in advance


def batch_key(seed: int, epoch: int, batch: int) -> int:
    """A 31-bit seed for one batch, independent of all others (SeedSequence, O'Neill 2015)."""
    return int(np.random.SeedSequence((seed, epoch, batch)).generate_state(1)[0] >> 1)


class BatchLoader:
    """Iterates over the batches of one epoch; `set_epoch` chooses which.

    Args:
        stores: read one after the other, as if they were one.
        batch_size: samples in a batch; the last one of an epoch may be smaller.
        seed: keys order and augmentation.
        shuffle: without it, the stored order.
        augment: (images (B, H, W, C) uint8, seed) -> images of the same shape.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        augment: Augment | None = None,
    ) -> None:
        assert stores, "a loader needs a store"
        self._stores = list(stores)
        self._starts = np.cumsum([0, *(len(store) for store in stores)])
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.augment = augment
        self.epoch = 0

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    @property
    def samples(self) -> int:
        return int(self._starts[-1])

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def order(self) -> NDArray[np.int64]:
        """Indices of this epoch, (N,)."""
        if not self.shuffle:
            return np.arange(self.samples, dtype=np.int64)
        return np.random.Generator(np.random.Philox(key=(self.seed, self.epoch))).permutation(self.samples)

    def __iter__(self) -> Iterator[Batch]:
        order = self.order()
        chunks = [order[at : at + self.batch_size] for at in range(0, len(order), self.batch_size)]
        return _ahead(lambda number: self._batch(number, chunks[number]), len(chunks))

    def _batch(self, number: int, indices: NDArray[np.int64]) -> Batch:
        batch = self._gather(indices)
        if self.augment is not None:
            batch["images"] = self.augment(batch["images"], batch_key(self.seed, self.epoch, number))
        return batch

    def _gather(self, indices: NDArray[np.int64]) -> Batch:
        if len(self._stores) == 1:
            return self._stores[0][indices]
        owner = np.searchsorted(self._starts, indices, side="right") - 1
        parts: Batch = {}
        for number, store in enumerate(self._stores):
            mine = np.flatnonzero(owner == number)
            for name, values in store[indices[mine] - self._starts[number]].items():
                whole = parts.setdefault(name, np.empty((len(indices), *values.shape[1:]), values.dtype))
                whole[mine] = values
        return parts


def _ahead(make: Callable[[int], Batch], count: int) -> Iterator[Batch]:
    """`make(0) … make(count - 1)`, made in a thread a few steps ahead; its errors come out here."""
    ready: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=_AHEAD)
    stop = threading.Event()

    def put(item: Batch | BaseException) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for number in range(count):
                if stop.is_set():
                    return
                put(make(number))
        except BaseException as error:  # noqa: BLE001  # carried to the consumer, who raises it
            put(error)

    thread = threading.Thread(target=work, name="batch-loader", daemon=True)
    thread.start()
    try:
        for _ in range(count):
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
