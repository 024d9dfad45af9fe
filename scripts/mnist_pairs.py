"""Two digits of MNIST side by side in one picture, and a table of which digits each shows.

    python scripts/mnist_pairs.py data/raw/mnist data/raw/mnist_pairs

Reads the four official idx files (gzipped). Pairs for training are drawn from the 60,000 training digits,
those for the test from the 10,000 test digits, so no digit is on both sides. Two equal digits are one label.
The same files and numbers give the same pictures.
"""

import argparse
import csv
import gzip
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

FILES = {"train": "train", "test": "t10k"}
COUNTS = {"train": 6_000, "test": 1_500}


def read(path: Path, header: int) -> NDArray[np.uint8]:
    """The bytes behind the header of an idx file."""
    with gzip.open(path) as handle:
        return np.frombuffer(handle.read(), np.uint8)[header:]


def pairs(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], count: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pictures (count, 28, 56) and the two digits of each (count, 2), drawn with replacement."""
    chosen = np.random.default_rng(seed).integers(0, len(images), (count, 2))
    return np.concatenate([images[chosen[:, 0]], images[chosen[:, 1]]], axis=2), labels[chosen]


def main() -> int:
    parser = argparse.ArgumentParser(description="Make pictures of two digits from MNIST's files.")
    parser.add_argument("mnist", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    (options.out / "images").mkdir(parents=True)
    with (options.out / "labels.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["path", "digits", "split"])
        for seed, (side, name) in enumerate(FILES.items()):
            images = read(options.mnist / f"{name}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
            labels = read(options.mnist / f"{name}-labels-idx1-ubyte.gz", 8)
            pictures, digits = pairs(images, labels, COUNTS[side], seed)
            for number, (picture, shown) in enumerate(zip(pictures, digits, strict=True)):
                path = f"images/{side}_{number:05d}.png"
                done, content = cv2.imencode(".png", picture)
                assert done
                (options.out / path).write_bytes(content.tobytes())
                writer.writerow([path, " ".join(map(str, sorted({*shown.tolist()}))), side])
    return 0


if __name__ == "__main__":
    sys.exit(main())
