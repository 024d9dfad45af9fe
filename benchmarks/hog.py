"""HOG features of pictures in several threads, over one process with one thread that computes the same.

What `model: hog` does before its classifier is fitted: batches from a store, through the network's own
features (torch), each batch by one thread. Beside it the same features in numpy and OpenCV, as `validate` and
the baseline use them, in threads and one after the other. The features are equal bits however many threads
there are.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.measure import Report, in_turns, ratio, spread, under
from convoy.config.classical import HogConfig
from convoy.data import hog, store
from convoy.data.loader import BatchLoader
from convoy.data.store import Store
from convoy.training import classical, network
from convoy.training.network import Network

TARGET = 1.8  # times one process, on two cores
_SETS = {"28 x 28 grey": (8_000, 28, 1), "64 x 64 colour": (2_000, 64, 3)}
_ONE = 64  # pictures at a time of numpy's one thread, as its threads take them


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    threads = len(os.sched_getaffinity(0))
    rows, found = [], {}
    with TemporaryDirectory(prefix="convoy-bench-") as folder:
        for name, (count, side, channels) in _SETS.items():
            images = _written(Path(folder) / name.replace(" ", ""), count, side, channels)
            loader = BatchLoader([Store.open(Path(folder) / name.replace(" ", ""))], batch_size=64, workers=0)
            net = _network(side, channels)
            seconds = in_turns(
                {
                    "threads": partial(_seconds, partial(classical.features, net, loader, threads)),
                    "one": partial(_seconds, partial(classical.features, net, loader, 1)),
                    "numpy, threads": partial(_seconds, partial(hog.features, images)),
                    "numpy, one": partial(_seconds, partial(_one_by_one, images)),
                },
                rounds,
                under(name, progress),
            )
            same = np.array_equal(
                classical.features(net, loader, threads), classical.features(net, loader, 1)
            )
            assert same, "threads changed the features"
            gain = ratio(seconds["one"], seconds["threads"])
            theirs = ratio(seconds["numpy, one"], seconds["numpy, threads"])
            met = "met" if gain >= TARGET else "MISSED"
            taken = (spread(seconds[side]) for side in seconds)
            over = ratio(seconds["numpy, one"], seconds["threads"])
            rows.append([f"{count:,} of {name}", *taken, f"{gain:.2f}", met, f"{over:.2f}", f"{theirs:.2f}"])
            found[name] = {"seconds": seconds, "gain": gain, "over_numpy": over, "gain_of_numpy": theirs}
    return Report(
        title=f"seconds of HOG features, {threads} threads over one process",
        columns=[
            "pictures", f"{threads} threads", "one", f"numpy, {threads} threads", "numpy, one", "gain",
            f"target ≥ {TARGET}", "over numpy, one", "gain of numpy",
        ],
        rows=rows,
        notes=[f"Pictures of noise from a store that is in memory; {rounds} rounds."],
        data={"sets": found, "target": TARGET, "threads": threads},
    )  # fmt: skip


def _written(folder: Path, count: int, side: int, channels: int) -> NDArray[np.uint8]:
    images = np.random.default_rng(0).integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    writer = store.create(folder, count, images.shape[1:])
    writer.images[:] = images
    writer.target[:] = 0
    writer.id[:] = np.array([f"{number:032x}" for number in range(count)], dtype="S32")
    writer.finish()
    return images


def _network(side: int, channels: int) -> Network:
    preprocessor: dict[str, Any] = {
        "modality": "image",
        "spec": {"height": side, "width": side, "channels": channels},
        "classes": ["", ""],
        "mean": [0.0] * channels,
        "std": [1.0] * channels,
    }
    torch.manual_seed(0)
    return network.build(HogConfig(name="hog"), preprocessor).eval()


def _one_by_one(images: NDArray[np.uint8]) -> None:
    shape = hog.window(*images.shape[1:3])
    assert shape is not None
    for start in range(0, len(images), _ONE):
        hog.of_batch(images[start : start + _ONE], shape)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
