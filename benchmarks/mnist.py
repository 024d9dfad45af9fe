"""The data of the comparisons with other frameworks: MNIST's own files, or a part of them.

Every framework reads the same .npy files; convoy reads stores made of them, without its stages.
"""

import gzip
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.checkout import PROJECT
from benchmarks.frameworks.turns import BATCH, LR
from benchmarks.measure import Unavailable
from benchmarks.ours import Task
from benchmarks.prepared import Prepared
from convoy.config.load import load
from convoy.config.model import MnistCnnConfig
from convoy.config.train import TrainConfig
from convoy.data import store
from convoy.data.store import Store
from convoy.training.precision import Precision

Images = NDArray[np.uint8]

TRAIN, TEST = 60_000, 10_000
_PREFIX = {"train": "train", "test": "t10k"}


def folder() -> Path:
    """Where the four files lie: `CONVOY_REALDATA`, else ../shared/data beside the checkout.

    Raises:
        Unavailable: they are not there.
    """
    where = Path(os.environ.get("CONVOY_REALDATA", PROJECT.parent / "shared" / "data")) / "mnist"
    if not where.is_dir():
        raise Unavailable(f"MNIST's four files are not in {where}; see CONVOY_REALDATA")
    return where


def idx(root: Path, side: str = "train") -> tuple[Images, Images]:
    """Images (N, 28, 28) and labels (N,), uint8, of one side (train or test)."""
    prefix = _PREFIX[side]
    with gzip.open(root / f"{prefix}-images-idx3-ubyte.gz") as handle:
        images = np.frombuffer(handle.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(root / f"{prefix}-labels-idx1-ubyte.gz") as handle:
        labels = np.frombuffer(handle.read(), np.uint8, offset=8)
    return images, labels


def arrays(target: Path, images: int = TRAIN) -> Path:
    """Write {train,test}_{images,labels}.npy below `target`: the first `images`, and of the tests as large
    a share.
    """
    target.mkdir(parents=True, exist_ok=True)
    for side, count in (("train", images), ("test", images * TEST // TRAIN)):
        pictures, labels = idx(folder(), side)
        np.save(target / f"{side}_images.npy", pictures[:count])
        np.save(target / f"{side}_labels.npy", labels[:count])
    return target


def write_idx(arrays: Path, target: Path) -> None:
    """The arrays as the four idx files again, uncompressed."""
    target.mkdir(parents=True)
    for side, prefix in _PREFIX.items():
        for kind in ("images", "labels"):
            values = np.load(arrays / f"{side}_{kind}.npy")
            header = struct.pack(f">{values.ndim + 1}I", 0x0800 + values.ndim, *values.shape)
            (target / f"{prefix}-{kind}-idx{values.ndim}-ubyte").write_bytes(header + values.tobytes())


def stores(arrays: Path, target: Path) -> Prepared:
    """The same as stores below `target`; the test images stand where a training validates."""
    images = np.load(arrays / "train_images.npy")
    scaled = images / 255
    config = load(PROJECT / "recipes" / "digits.yaml")
    plain = config.objective.model_copy(update={"label_smoothing": 0.0})
    return Prepared(
        config=config.model_copy(update={"objective": plain}),
        train=stored(target / "train", images[..., None], np.load(arrays / "train_labels.npy")),
        val=stored(
            target / "test",
            np.load(arrays / "test_images.npy")[..., None],
            np.load(arrays / "test_labels.npy"),
        ),
        preprocessor=preprocessor(float(scaled.mean()), float(scaled.std())),
    )


def task(data: Prepared, epochs: int, schedule: str = "fixed") -> Task:
    """mnist_cnn in fp32 with Adam and plain cross-entropy: what any framework starts with."""
    changes = {
        "epochs": epochs,
        "batch_size": BATCH,
        "optimizer": {"name": "adam", "lr": LR},
        "schedule": {"name": schedule},
        "early_stopping": None,
    }
    config = TrainConfig.model_validate(data.config.train.model_dump() | changes)
    return Task(data, MnistCnnConfig(name="mnist_cnn"), config, Precision("fp32"))


def preprocessor(mean: float, std: float) -> dict[str, Any]:
    """What `prepare` would write for these images; mean and std of pixels / 255."""
    return {
        "spec": {"height": 28, "width": 28, "channels": 1, "resize": "stretch", "max_pixels": 10**8},
        "classes": [str(digit) for digit in range(10)],
        "modality": "image",
        "mean": [mean],
        "std": [std],
    }


def stored(target: Path, images: Images, labels: NDArray[Any]) -> Store:
    """A store of images (N, H, W, C) and labels (N,)."""
    writer = store.create(target, len(images), images.shape[1:])
    writer.images[:], writer.target[:] = images, labels.astype(np.int64)
    writer.id[:] = np.array([f"{number:032x}" for number in range(len(images))], dtype="S32")
    writer.finish()
    return Store.open(target)
