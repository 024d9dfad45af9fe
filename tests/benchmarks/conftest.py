"""MNIST's files in small: noise with a bright row that tells the class."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

COUNTS = {"train": 240, "t10k": 40}


@pytest.fixture
def realdata_in_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the folder of real data, named by CONVOY_REALDATA."""
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for prefix, count in COUNTS.items():
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = random.integers(0, 60, (count, 28, 28), dtype=np.uint8)
        images[np.arange(count), 2 * labels + 4] += 180
        for kind, values in (("images", images), ("labels", labels)):
            header = struct.pack(f">{values.ndim + 1}I", 0x0800 + values.ndim, *values.shape)
            name = f"{prefix}-{kind}-idx{values.ndim}-ubyte.gz"
            (folder / name).write_bytes(gzip.compress(header + values.tobytes()))
    monkeypatch.setenv("CONVOY_REALDATA", str(folder.parent))
    return folder.parent
