import gzip
from pathlib import Path

import numpy as np
import pytest
from benchmarks.measure import Unavailable

from benchmarks import mnist


def test_every_framework_gets_the_same_images(realdata_in_small: Path, tmp_path: Path) -> None:
    arrays = mnist.arrays(tmp_path / "arrays", 120)
    images, labels = mnist.idx(realdata_in_small / "mnist")
    assert np.array_equal(np.load(arrays / "train_images.npy"), images[:120])
    assert np.array_equal(np.load(arrays / "train_labels.npy"), labels[:120])
    assert len(np.load(arrays / "test_images.npy")) == 20
    ours = mnist.stores(arrays, tmp_path / "stores")
    assert np.array_equal(np.array(ours.train.images)[..., 0], images[:120])
    assert ours.train.target.tolist() == labels[:120].tolist()
    assert ours.preprocessor["mean"] == pytest.approx([images[:120].mean() / 255])


def test_the_project_of_a_benchmark_gets_the_same_files(realdata_in_small: Path, tmp_path: Path) -> None:
    arrays = mnist.arrays(tmp_path / "arrays", 240)
    mnist.write_idx(arrays, tmp_path / "idx")
    for path in (tmp_path / "idx").iterdir():
        original = realdata_in_small / "mnist" / f"{path.name}.gz"
        assert path.read_bytes() == gzip.decompress(original.read_bytes())


def test_without_the_files_a_benchmark_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVOY_REALDATA", str(tmp_path))
    with pytest.raises(Unavailable, match=r"MNIST's four files are not in .*CONVOY_REALDATA"):
        mnist.folder()
