"""Made-up files in the formats of the named data sets, few pictures each, as torchvision lays them."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from convoy.config.data import DataConfig
from convoy.data.sources._sets import SETS
from tests.data.pictures import idx_bytes

DATA = DataConfig(source="named", path="toy", dataset="FashionMNIST")
Pictures = NDArray[np.uint8]


def write(root: Path) -> None:
    write_set(root, "FashionMNIST")
    (root / "FashionMNIST" / "raw" / "notes.txt").write_text("made up", encoding="utf-8")


def write_set(root: Path, dataset: str, count: int = 12, packed: bool = False) -> dict[str, Pictures]:
    """The files of one data set. Returns the pictures, upright, (count, H, W) or (count, H, W, 3) by split.

    The label of row r is class r modulo their number.
    """
    known = SETS[dataset]
    folder = root / known.folder
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, list[Pictures]] = {}
    for seed, part in enumerate(known.parts):
        draw = np.random.default_rng(seed)
        sides = {"idx": (5, 4), "cifar": (32, 32, 3), "svhn": (32, 32, 3), "stl10": (96, 96, 3)}[known.kind]
        pictures = draw.integers(0, 256, (count, *sides), dtype=np.uint8)
        labels = (np.arange(count) % len(known.classes) + known.first).astype(np.uint8)
        written.setdefault(part.split, []).append(pictures)
        files: dict[str, bytes] = {}
        if known.kind == "idx":
            stored = pictures.transpose(0, 2, 1) if known.transposed else pictures
            files = {part.images: idx_bytes(stored), part.labels: idx_bytes(labels)}
            if part.labels.endswith("idx2-int"):
                wide = np.zeros((count, 8), ">i4")
                wide[:, 0], wide[:, 1:] = labels, draw.integers(0, 99999, (count, 7))
                head = bytes([0, 0, 0x0C, 2]) + count.to_bytes(4, "big") + (8).to_bytes(4, "big")
                files[part.labels] = head + wide.tobytes()
        elif known.kind == "cifar":
            before = np.full((count, known.label_bytes), 99, np.uint8)
            before[:, -1] = labels
            planes = pictures.transpose(0, 3, 1, 2).reshape(count, -1)
            files = {part.images: np.hstack([before, planes]).tobytes()}
        elif known.kind == "stl10":
            files = {part.images: pictures.transpose(0, 3, 2, 1).tobytes(), part.labels: labels.tobytes()}
        else:
            tens = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
            savemat(
                folder / part.images, {"X": pictures.transpose(1, 2, 3, 0), "y": tens}, do_compression=True
            )
        for name, content in files.items():
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
            else:
                (folder / name).write_bytes(content)
    return {split: np.concatenate(each) for split, each in written.items()}
