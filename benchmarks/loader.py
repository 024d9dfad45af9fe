"""(a), (b) of the data engine: augmented batches a second, over ImageFolder + albumentations + DataLoader.

Ours: stores that `prepare` has written (decoded and resized once), gathered and augmented batch by batch in
threads. The peer opens, decodes, crops and augments one picture at a time in worker processes that live on
from epoch to epoch, which is what torchvision's documentation shows; its pictures of the second data set are
in memory already. Both end in uint8 tensors of whole batches; neither normalises. Both sides have the same
policy and number of workers. The first epoch warms up: every later one is a second epoch.
"""

import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import albumentations
import numpy as np
import torch
from albumentations.pytorch import ToTensorV2
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks import mnist
from benchmarks.checkout import PROJECT
from benchmarks.epoch import best_precision, task
from benchmarks.measure import Report, faster, in_turns, ratio, spread, verdict
from benchmarks.ours import Timed, turn, whole
from benchmarks.prepared import Prepared
from convoy.config.load import load
from convoy.config.model import MnistCnnConfig
from convoy.data import pixels, presets
from convoy.data.augment import Policy
from convoy.data.loader import Augment, BatchLoader
from convoy.data.store import Store
from convoy.training.feed import TensorFeed

Images = NDArray[np.uint8]
Side = Callable[[], float]

SPEEDUP, EPOCH = 3.0, 1.10  # least times the peer's throughput; most times the epoch without augmentation
_PHOTOS, _SIDE, _BATCH = "cats_dogs", 128, 64
_TURNED = [
    {"name": "Affine", "rotate": [-15, 15], "translate_percent": [-0.1, 0.1], "p": 1.0},
]
_TRAINED, _EPOCHS = 4096, 2  # pictures and epochs of the trainings that are compared


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    where = Path(os.environ.get("CONVOY_REALDATA", PROJECT.parent / "shared" / "data"))
    if not where.is_dir():
        return Report(
            "loader", ["skipped"], [], [f"The real data sets are not at {where}; see CONVOY_REALDATA."]
        )
    workers = len(os.sched_getaffinity(0))
    rows: list[list[str]] = []
    found: dict[str, Any] = {"workers": workers, "batch": _BATCH}
    with TemporaryDirectory(prefix="convoy-bench-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, sides in (
            (
                f"photos {_SIDE} px: crop, flip, colour",
                _photos(where / _PHOTOS, Path(folder), workers, progress),
            ),
            ("MNIST 28 px: rotation, shift", _mnist(where / "mnist", Path(folder), workers)),
        ):
            seconds = in_turns({k: v[0] for k, v in sides.items()}, rounds, progress)
            count = sides["ours"][1]
            row, value = faster(name, seconds, count, SPEEDUP)
            rows.append(row)
            found[name] = {"seconds": seconds, "ratio": value, "pictures": count}
        seconds = _epochs(where / "mnist", Path(folder), rounds, progress)
        value = ratio(seconds["with"], seconds["without"])
        name = f"epoch of mnist_cnn, {best_precision()}, 1 thread"
        taken = [spread(seconds[side]) for side in ("without", "with")]
        rows.append([name, *taken, f"{value:.2f}", verdict(value, EPOCH)])
        found["epoch"] = {"seconds": seconds, "ratio": value, "pictures": _TRAINED}
    return Report(
        title="(a), (b) the loader: pictures a second; and an epoch without and with augmentation, seconds",
        columns=["", "peer / without", "ours / with", "ratio", f"≥ {SPEEDUP:.0f}, ≤ {EPOCH:.2f}"],
        rows=rows,
        notes=[
            f"Batches of {_BATCH}; {workers} workers on both sides: processes of the peer, threads of ours.",
            "The peer reads JPEG files (photos) or an array in memory (MNIST), and does not normalise.",
            f"The epochs: {_TRAINED} pictures of MNIST, 1 thread of torch, 1 of the loader; {rounds} rounds.",
        ],
        data=found,
    )


class Files(Dataset[tuple[Tensor, int]]):
    """torchvision's ImageFolder with its default loader: open, decode, convert to RGB; then the transform."""

    def __init__(self, root: Path, transform: albumentations.Compose) -> None:
        classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
        self.samples = [
            (str(path), number)
            for number, name in enumerate(classes)
            for path in sorted((root / name).iterdir())
        ]
        self._transform = transform

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        path, target = self.samples[index]
        with open(path, "rb") as handle:  # noqa: PTH123  # as torchvision's pil_loader does
            image = Image.open(handle).convert("RGB")
        return self._transform(image=np.array(image))["image"], target


class Arrays(Dataset[tuple[Tensor, int]]):
    """One picture of an array at a time."""

    def __init__(self, images: Images, target: NDArray[Any], transform: albumentations.Compose) -> None:
        self._images, self._target, self._transform = images, target.tolist(), transform

    def __len__(self) -> int:
        return len(self._target)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(image=self._images[index])["image"], self._target[index]


def compose(specs: Sequence[dict[str, Any]], side: int) -> albumentations.Compose:
    """A policy as one writes it with albumentations."""
    steps = []
    for spec in specs:
        arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in spec.items() if k != "name"}
        if spec["name"] == "RandomResizedCrop":
            arguments["size"] = (side, side)
        steps.append(getattr(albumentations, spec["name"])(**arguments))
    return albumentations.Compose([*steps, ToTensorV2()])


def peer(data: Dataset[tuple[Tensor, int]], workers: int) -> Side:
    batches = DataLoader(
        data, batch_size=_BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda: _drained(batches)


def ours(stored: Store, augment: Augment, workers: int) -> Side:
    epochs = iter(range(10**6))
    loader = BatchLoader([stored], batch_size=_BATCH, shuffle=True, augment=augment, workers=workers)
    feed = TensorFeed(loader, lambda: next(epochs))
    return lambda: _drained(feed)


def _drained(batches: Any) -> float:
    """Seconds to take every batch, each touched once."""
    start, total = time.perf_counter(), 0
    for batch in batches:
        images = batch["images"] if isinstance(batch, dict) else batch[0]
        total += int(images.view(-1)[0])
    return time.perf_counter() - start


def _photos(
    root: Path, folder: Path, workers: int, progress: Callable[[str], None]
) -> dict[str, tuple[Side, int]]:
    specs = presets.PRESETS["photos"]
    files = Files(root, compose(specs, _SIDE))
    progress("preparing the photos")
    spec = {"height": _SIDE, "width": _SIDE, "channels": 3, "resize": "stretch", "max_pixels": 10**8}
    images = np.stack([pixels.prepare(Path(path).read_bytes(), spec) for path, _ in files.samples])
    stored = mnist.stored(folder / "photos", images, np.array([target for _, target in files.samples]))
    return {
        "peer": (peer(files, workers), len(files)),
        "ours": (ours(stored, Policy(specs), workers), len(files)),
    }


def _mnist(root: Path, folder: Path, workers: int) -> dict[str, tuple[Side, int]]:
    images, target = mnist.idx(root)
    stored = mnist.stored(folder / "mnist", images[..., None], target)
    return {
        "peer": (peer(Arrays(images[..., None], target, compose(_TURNED, 28)), workers), len(images)),
        "ours": (ours(stored, Policy(_TURNED), workers), len(images)),
    }


def _epochs(root: Path, folder: Path, rounds: int, progress: Callable[[str], None]) -> dict[str, list[float]]:
    """Seconds of an epoch of real trainings, without and with augmentation, on one thread of torch."""
    images, target = mnist.idx(root)
    images, scaled = images[..., None], images[:_TRAINED] / 255
    data = Prepared(
        config=load(PROJECT / "recipes" / "digits.yaml"),
        train=mnist.stored(folder / "train", images[:_TRAINED], target[:_TRAINED]),
        val=mnist.stored(folder / "val", images[-512:], target[-512:]),
        preprocessor=mnist.preprocessor(float(scaled.mean()), float(scaled.std())),
    )
    job = task(data, MnistCnnConfig(name="mnist_cnn"), best_precision(), _EPOCHS)
    settings = job.config.loader.model_copy(update={"workers": 1})
    job = replace(job, config=job.config.model_copy(update={"loader": settings}))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    kept: list[Timed] = []
    try:
        return in_turns(
            {
                "without": turn(lambda: whole(job, None), kept),
                "with": turn(lambda: whole(job, Policy(_TURNED)), kept),
            },
            rounds,
            progress,
        )
    finally:
        torch.set_num_threads(threads)
