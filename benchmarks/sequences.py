"""Sequences of any length: second-epoch batches a second, over a Dataset + pad collate + DataLoader.

Ours: a store of flat values and offsets, gathered, augmented (jitter) and padded batch by batch in threads,
like lengths together. The peer has the same sequences in a list in memory, adds the same noise to one at a
time in worker processes that live on from epoch to epoch, and pads them in its collate function
(torch.nn.utils.rnn.pad_sequence). Both end in float32 tensors (batch, longest, channels).
"""

import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from benchmarks.measure import Report, faster, in_turns
from convoy.data import ragged, store
from convoy.data.loader import Augment, BatchLoader
from convoy.data.modalities.sequence.augmenting import Policy
from convoy.data.modalities.sequence.batching import VALUES, loading
from convoy.data.store import Store
from convoy.training.feed import TensorFeed

SPEEDUP = 3.0  # least times the peer's throughput
_COUNT, _CHANNELS, _BATCH, _SIGMA = 8_000, 6, 64, 0.05
_SHORTEST, _LONGEST = 20, 200  # steps


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    workers = len(os.sched_getaffinity(0))
    random = np.random.default_rng(0)
    lengths = random.integers(_SHORTEST, _LONGEST + 1, _COUNT)
    samples = [random.standard_normal((length, _CHANNELS), np.float32) for length in lengths.tolist()]
    target = random.integers(0, 10, _COUNT)
    with TemporaryDirectory(prefix="convoy-bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sides = {
            "ours": _ours(Path(folder) / "train", samples, target, workers),
            "peer": _peer(samples, target, workers),
        }
        seconds = in_turns(sides, rounds, progress)
    row, value = faster("second epoch, jitter", seconds, _COUNT, SPEEDUP)
    return Report(
        title="sequences a second",
        columns=["", "peer", "ours", "ratio", f"≥ {SPEEDUP:.0f}"],
        rows=[row],
        notes=[
            f"{_COUNT:,} sequences of {_SHORTEST} to {_LONGEST} steps, {_CHANNELS} channels; batches of 64.",
            f"{workers} workers on both sides: processes of the peer, threads of ours; {rounds} rounds.",
        ],
        data={"seconds": seconds, "ratio": value, "sequences": _COUNT, "workers": workers},
    )


def _ours(
    folder: Path, samples: Sequence[NDArray[np.float32]], target: NDArray[np.int64], workers: int
) -> Callable[[], float]:
    folder.mkdir()
    ids = np.array([f"{number:032d}" for number in range(len(target))], "S32")
    store.finish(folder, [], None, {"target": target, "id": ids}, {VALUES: ragged.of(samples, "<f4")})
    loader = BatchLoader(
        [Store.open(folder)],
        batch_size=_BATCH,
        shuffle=True,
        augment=cast(Augment, Policy([{"name": "jitter", "sigma": _SIGMA}])),
        workers=workers,
        loading=loading({}),
    )
    return epoch_of(loader, _COUNT)


def epoch_of(loader: BatchLoader, count: int) -> Callable[[], float]:
    """Goes through `count` samples of our loader, epoch after epoch: seconds of each."""
    epochs = iter(range(1_000_000))
    feed = TensorFeed(loader, lambda: next(epochs))

    def epoch() -> float:
        started = time.perf_counter()
        seen = sum(len(batch["target"]) for batch in feed)
        assert seen == count
        return time.perf_counter() - started

    return epoch


class Listed(Dataset[tuple[Tensor, int]]):
    """Sequences in a list; the noise is drawn for each of them."""

    def __init__(self, samples: Sequence[NDArray[np.float32]], target: NDArray[np.int64]) -> None:
        self._samples = [torch.from_numpy(sample) for sample in samples]
        self._target = target.tolist()

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        sample = self._samples[index]
        return sample + _SIGMA * torch.randn_like(sample), self._target[index]


def padded(batch: Sequence[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    values, target = zip(*batch, strict=True)
    return pad_sequence(list(values), batch_first=True), torch.tensor(target)


def _peer(
    samples: Sequence[NDArray[np.float32]], target: NDArray[np.int64], workers: int
) -> Callable[[], float]:
    return epoch_of_peer(Listed(samples, target), _COUNT, _BATCH, workers)


def epoch_of_peer(
    dataset: Dataset[tuple[Tensor, int]], count: int, batch_size: int, workers: int
) -> Callable[[], float]:
    """The same of a DataLoader that pads in its collate function; its workers live on."""
    loader: Any = DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=True,
        collate_fn=padded,
    )

    def epoch() -> float:
        started = time.perf_counter()
        seen = sum(len(labels) for _, labels in loader)
        assert seen == count
        return time.perf_counter() - started

    return epoch
