"""Whole batches gathered from a store, the same stream on every machine and after every resume.

Randomness is counter-based: (seed, epoch) keys the order, (seed, epoch, batch) the augmentation. So a batch
can be made by anyone at any time: threads make the next ones while the network works on this one, and the
stream is the same for any number of threads.

Threads and not processes: OpenCV, numpy's gathering and its random numbers work without the interpreter's
lock, and a batch needs no copy to get from one to the other. Of small pictures the lock's handing over costs
more than the work that it frees (28 × 28: two threads made 0.7 of the batches of one), so one thread makes
those, however many are allowed. Sequences and texts are worked on batch by batch, so there the batch counts.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from convoy.data import ragged
from convoy.data._threads import cores
from convoy.data.store import Store

Batch = dict[str, NDArray[Any]]
Images = NDArray[np.uint8]
Indices = NDArray[np.int64]
T = TypeVar("T")

WORKERS, PREFETCH = 1, 4
_MOST_WORKERS = 8  # that `auto` makes
_POOL = 50  # batches whose samples are sorted by length
_SMALL = 1 << 15  # bytes of a picture, or of a batch of sequences, below which one thread makes the batches


class Augment(Protocol):
    """Changes images (B, H, W, C), or a batch with keypoints or masks; the seed decides how."""

    @overload
    def __call__(self, batch: Images, seed: int, /) -> Images: ...
    @overload
    def __call__(self, batch: Batch, seed: int, /) -> Batch: ...


@dataclass(frozen=True)
class Loading:
    """How a modality's batches are made of a store's samples.

    Attributes:
        fields: what of the store is gathered; None: all.
        collate: lays out a gathered (and augmented) batch as the network takes it; None: as it is.
        length: the field whose samples differ in length: batches hold samples of like length.
    """

    fields: tuple[str, ...] | None = None
    collate: Callable[[Batch], Batch] | None = None
    length: str | None = None


PLAIN = Loading()


def batch_key(seed: int, epoch: int, batch: int) -> int:
    """A 31-bit seed for one batch, independent of all others (SeedSequence, O'Neill 2015)."""
    return int(np.random.SeedSequence((seed, epoch, batch)).generate_state(1)[0] >> 1)


def auto_workers() -> int:
    """Loader threads where nothing is asked for: the cores but one, which the network's main thread has."""
    return max(1, min(_MOST_WORKERS, cores() - 1))


class BatchLoader:
    """Iterates over the batches of one epoch; `set_epoch` chooses which.

    Args:
        stores: read one after the other, as if they were one.
        batch_size: samples in a batch; the last one of an epoch may be smaller. Of a shuffled epoch a single
            last sample goes into the batch before: batch normalisation could not learn from it alone.
        seed: keys order and augmentation.
        shuffle: without it, the stored order.
        augment: (images (B, H, W, C) uint8, seed) -> images of the same shape.
        workers: threads that make batches, at most; 0: they are made where they are asked for.
        prefetch: batches that are made ahead, all threads together.
        loading: how a modality's batches are made.
    """

    def __init__(
        self,
        stores: Sequence[Store],
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        augment: Augment | None = None,
        workers: int = WORKERS,
        prefetch: int = PREFETCH,
        loading: Loading = PLAIN,
    ) -> None:
        assert stores, "a loader needs a store"
        self.stores = list(stores)
        self._starts = np.cumsum([0, *(len(store) for store in stores)])
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.augment = augment
        self.workers = workers
        self.prefetch = prefetch
        self.loading = loading
        self.epoch = 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        return batches(self.samples, self.batch_size) if self.shuffle else -(-self.samples // self.batch_size)

    @property
    def samples(self) -> int:
        return int(self._starts[-1])

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def order(self) -> Indices:
        """Indices of this epoch, (N,)."""
        if not self.shuffle:
            return np.arange(self.samples, dtype=np.int64)
        random = np.random.Generator(np.random.Philox(key=(self.seed, self.epoch)))
        order = random.permutation(self.samples)
        if self.loading.length is None:
            return order
        lengths = np.concatenate([store.lengths(self.loading.length) for store in self.stores])
        return _of_like_length(order, lengths, self.batch_size, random)

    def key(self, number: int) -> int:
        """The seed of what is drawn for batch `number` of this epoch."""
        return batch_key(self.seed, self.epoch, number)

    def __iter__(self) -> Iterator[Batch]:
        return self.each(self.batch)

    def each(self, make: Callable[[int, Indices], T], first: int = 0) -> Iterator[T]:
        """`make(number, indices)` for the batches of the epoch from `first` on, in order, made ahead by the
        threads.
        """
        order = self.order()

        def task(number: int) -> Callable[[], T]:
            end = (number + 1) * self.batch_size if number + 1 < len(self) else len(order)
            indices = order[number * self.batch_size : end]
            return lambda: make(number, indices)

        workers = min(self.workers, 1) if self._small() else self.workers
        return _ahead([task(number) for number in range(first, len(self))], workers, self.prefetch)

    def _small(self) -> bool:
        """Whether what is done at a time without the lock, a picture or a batch of all else, is little."""
        first, length = self.stores[0], self.loading.length
        if first.sample_bytes or length is None:
            return first.sample_bytes < _SMALL
        return self.batch_size * first.field(length)[0].nbytes < _SMALL * len(first)

    def batch(self, number: int, indices: Indices) -> Batch:
        """The samples at `indices`, augmented as batch `number` of the epoch."""
        batch = self.gather(indices)
        if self.augment is None:
            return self._laid_out(batch)
        if "images" not in batch or batch.keys() & {"keypoints", "masks"}:
            return self._laid_out(self.augment(batch, self.key(number)))
        return {**batch, "images": self.augment(batch["images"], self.key(number))}

    def plain(self, indices: Indices) -> Batch:
        """The samples at `indices`, not augmented."""
        return self._laid_out(self.gather(indices))

    def _laid_out(self, batch: Batch) -> Batch:
        return batch if self.loading.collate is None else self.loading.collate(batch)

    def gather(self, indices: Indices) -> Batch:
        """The samples at `indices` as they are stored."""
        if len(self.stores) == 1:
            return self.stores[0].read(indices, self.loading.fields)
        owner = np.searchsorted(self._starts, indices, side="right") - 1
        parts: Batch = {}
        varying: dict[str, list[tuple[Indices, NDArray[Any], NDArray[np.int64]]]] = {}
        for number, store in enumerate(self.stores):
            mine = np.flatnonzero(owner == number)
            found = store.read(indices[mine] - self._starts[number], self.loading.fields)
            for name in store.varying:
                if name in found:
                    pieces = varying.setdefault(name, [])
                    pieces.append((mine, found.pop(name), found.pop(ragged.offsets_of(name))))
            for name, values in found.items():
                whole = parts.setdefault(name, np.empty((len(indices), *values.shape[1:]), values.dtype))
                whole[mine] = values
        for name, pieces in varying.items():
            values, bounds = _joined(pieces, len(indices))
            parts |= {name: values, ragged.offsets_of(name): bounds}
        return parts


def batches(samples: int, batch_size: int) -> int:
    """In a shuffled epoch: a single last sample goes into the batch before, as one alone teaches no
    normalisation anything.
    """
    whole, rest = divmod(samples, batch_size)
    return whole + (rest > (1 if whole else 0))


def _of_like_length(
    order: Indices, lengths: NDArray[np.int64], batch_size: int, random: np.random.Generator
) -> Indices:
    """Batches of samples of like length, in random order: the samples of some batches together are sorted.

    The last batch, which may be smaller, stays the last.
    """
    pool = batch_size * _POOL
    pooled = np.concatenate(
        [
            part[np.argsort(lengths[part], kind="stable")]
            for part in (order[start : start + pool] for start in range(0, len(order), pool))
        ]
    )
    whole = len(order) // batch_size
    batches = pooled[: whole * batch_size].reshape(whole, batch_size)
    return np.concatenate([batches[random.permutation(whole)].reshape(-1), pooled[whole * batch_size :]])


def _joined(
    pieces: Sequence[tuple[Indices, NDArray[Any], NDArray[np.int64]]], count: int
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Samples of several stores, (their places in the batch, values, offsets) each, in the batch's order."""
    places = np.concatenate([mine for mine, _, _ in pieces])
    values = np.concatenate([flat for _, flat, _ in pieces])
    bounds = ragged.offsets(np.concatenate([np.diff(each) for _, _, each in pieces]))
    back = np.empty(count, np.int64)
    back[places] = np.arange(count)
    return ragged.take(values, bounds, back)


def _ahead(tasks: Sequence[Callable[[], T]], workers: int, prefetch: int) -> Iterator[T]:
    """The tasks' results in order, run by threads a few tasks ahead; the first error comes out here."""
    if workers == 0:
        for task in tasks:
            yield task()
        return
    stopped = threading.Event()

    def unless_stopped(task: Callable[[], T]) -> T | None:
        return None if stopped.is_set() else task()

    with ThreadPoolExecutor(workers, thread_name_prefix="batch-loader") as pool:
        pending: deque[Future[Any]] = deque()
        try:
            for task in tasks:
                pending.append(pool.submit(unless_stopped, task))
                if len(pending) > prefetch:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            stopped.set()
            for future in pending:
                future.cancel()
