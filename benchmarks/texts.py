"""The sentences of MR: second-epoch batches a second, over a Dataset + pad collate + DataLoader.

Ours: a store of token ids and offsets, gathered, augmented (the recipe's `unknown`) and padded batch by batch
in threads, like lengths together. The peer has the ids of each sentence in a list in memory (tokenised once,
in its favour), makes the same share of one sentence's tokens unknown at a time in worker processes that live
on from epoch to epoch, and pads them in its collate function. Both end in int64 tensors (batch, longest).
"""

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmarks import reviews
from benchmarks.measure import Report, faster, in_turns
from benchmarks.sequences import epoch_of, epoch_of_peer
from benchmarks.textcnn import sentences
from convoy.data.loader import Augment, BatchLoader
from convoy.data.modalities.text import tokens
from convoy.data.modalities.text.augmenting import Policy
from convoy.data.modalities.text.batching import loading

SPEEDUP = 3.0  # least times the peer's throughput
_BATCH, _RATE = 64, 0.05
_UNKNOWN = tokens.SPECIAL.index(tokens.UNKNOWN)


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    workers = len(os.sched_getaffinity(0))
    with TemporaryDirectory(prefix="convoy-bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        progress("preparing the reviews")
        data = reviews.make(Path(folder))
        count = len(data.train)
        ours = BatchLoader(
            [data.train],
            batch_size=_BATCH,
            shuffle=True,
            augment=cast(Augment, Policy([{"name": "unknown", "rate": _RATE}])),
            workers=workers,
            loading=loading(data.preprocessor),
        )
        ids, target = sentences(data.train)
        seconds = in_turns(
            {
                "ours": epoch_of(ours, count),
                "peer": epoch_of_peer(Listed(ids, target.tolist()), count, _BATCH, workers),
            },
            rounds,
            progress,
        )
    row, value = faster("second epoch, 5 % unknown", seconds, count, SPEEDUP)
    return Report(
        title="sentences a second",
        columns=["", "peer", "ours", "ratio", f"≥ {SPEEDUP:.0f}"],
        rows=[row],
        notes=[
            f"{count:,} sentences of MR, {sum(map(len, ids)) / count:.0f} tokens each in the mean; "
            f"batches of {_BATCH}.",
            f"{workers} workers on both sides: processes of the peer, threads of ours; {rounds} rounds.",
        ],
        data={"seconds": seconds, "ratio": value, "sentences": count, "workers": workers},
    )


class Listed(Dataset[tuple[Tensor, int]]):
    """Ids of sentences in a list; which of them become unknown is drawn for each sentence."""

    def __init__(self, ids: Sequence[Tensor], target: Sequence[int]) -> None:
        self._ids, self._target = ids, target

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        ids = self._ids[index]
        return ids.masked_fill(torch.rand(len(ids)) < _RATE, _UNKNOWN), self._target[index]
