import errno
import os
from pathlib import Path

import numpy as np
import pytest

from convoy import io
from convoy.config.data import DataConfig, PrepareConfig, SplitConfig, ValidateConfig
from convoy.data import manifest, pixels
from convoy.data.store import Store
from convoy.errors import DataError, IntegrityError
from convoy.stages.ingest import ingest
from convoy.stages.prepare import prepare, statistics
from convoy.stages.split import split
from convoy.stages.validate import validate
from tests.data.pictures import write_folder, write_idx

CONFIG = PrepareConfig(height=8, width=10, channels=3, resize="fit")
MAX_PIXELS = 1_000_000


def until_split(root: Path, data: DataConfig) -> Path:
    ingest(data, out=root / "ingest")
    gate = ValidateConfig(max_bad_fraction=0.0, max_pixels=MAX_PIXELS, min_per_class=3)
    validate(root / "ingest", data, gate, out=root / "validate")
    split(root / "validate", SplitConfig(strategy="auto", val=0.2, test=0.2, seed=0), out=root / "split")
    return root / "split"


@pytest.fixture
def data(tmp_path: Path) -> DataConfig:
    write_folder(tmp_path / "data", {"猫": 12, "dog": 10})
    return DataConfig(source="image_folder", path=str(tmp_path / "data"))


@pytest.fixture
def divided(tmp_path: Path, data: DataConfig) -> Path:
    return until_split(tmp_path, data)


def run(divided: Path, data: DataConfig, out: Path, config: PrepareConfig = CONFIG) -> None:
    prepare(divided, data, config, max_pixels=MAX_PIXELS, out=out)


def test_each_split_becomes_a_store_of_what_serving_would_see(
    tmp_path: Path, data: DataConfig, divided: Path
) -> None:
    run(divided, data, tmp_path / "out")
    samples = manifest.read(divided)
    preprocessor = io.read_json(tmp_path / "out/preprocessor.json")
    assert preprocessor["classes"] == ["dog", "猫"]
    for side in manifest.SPLITS:
        store = Store.open(tmp_path / "out" / side, verify=True)
        rows = samples[samples["split"] == side]
        assert store.id.tolist() == [identity.encode() for identity in rows["id"]]
        assert [preprocessor["classes"][n] for n in store.target] == rows["target"].tolist()
        for image, path in zip(store.images, rows["path"], strict=True):
            content = (tmp_path / "data" / path).read_bytes()
            np.testing.assert_array_equal(image, pixels.prepare(content, preprocessor["spec"]))


def test_the_preprocessor_holds_the_spec_and_the_statistics_of_training_alone(
    tmp_path: Path, data: DataConfig, divided: Path
) -> None:
    run(divided, data, tmp_path / "out")
    preprocessor = io.read_json(tmp_path / "out/preprocessor.json")
    assert preprocessor["version"] == 1
    assert preprocessor["modality"] == "image"
    assert preprocessor["spec"] == {
        "height": 8,
        "width": 10,
        "channels": 3,
        "resize": "fit",
        "max_pixels": MAX_PIXELS,
    }
    scaled = Store.open(tmp_path / "out/train").images.reshape(-1, 3) / 255
    np.testing.assert_allclose(preprocessor["mean"], scaled.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(preprocessor["std"], scaled.std(axis=0), rtol=1e-12)


def test_rows_of_idx_files_are_prepared(tmp_path: Path) -> None:
    images, labels = write_idx(tmp_path / "data", 30)
    data = DataConfig(source="idx", path=str(tmp_path / "data"))
    divided = until_split(tmp_path, data)
    run(divided, data, tmp_path / "out", PrepareConfig(height=8, width=8, channels=1, resize="stretch"))
    rows = manifest.read(divided)
    first = int(rows.loc[rows["split"] == "val", "path"].iloc[0].rpartition("#")[2])
    store = Store.open(tmp_path / "out/val")
    np.testing.assert_array_equal(store.images[0], pixels.resize(images[first][:, :, None], 8, 8, "stretch"))
    assert store.target[0] == ["0", "3", "7"].index(str(labels[first]))


def test_the_same_data_give_the_same_bytes(tmp_path: Path, data: DataConfig, divided: Path) -> None:
    for name in ("one", "two"):
        run(divided, data, tmp_path / name)
    assert io.sha256_tree(tmp_path / "one") == io.sha256_tree(tmp_path / "two")


def test_leftovers_of_a_killed_run_do_not_remain(tmp_path: Path, data: DataConfig, divided: Path) -> None:
    run(divided, data, tmp_path / "whole")
    run(divided, data, tmp_path / "out")
    (tmp_path / "out/train/schema.json").unlink()
    (tmp_path / "out/train/images.npy").write_bytes(b"half")
    (tmp_path / "out/train/.schema.json.x.part").write_bytes(b"{")
    run(divided, data, tmp_path / "out")
    assert io.sha256_tree(tmp_path / "out") == io.sha256_tree(tmp_path / "whole")
    assert not (tmp_path / "out/train/.schema.json.x.part").exists()


def test_a_run_that_dies_leaves_nothing_that_passes_for_whole(
    tmp_path: Path, data: DataConfig, divided: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(divided, data, tmp_path / "out")
    calls = 0

    def die(content: object, spec: object) -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise KeyboardInterrupt
        return np.zeros((8, 10, 3), np.uint8)

    monkeypatch.setattr(pixels, "prepare", die)
    with pytest.raises(KeyboardInterrupt):
        run(divided, data, tmp_path / "out")
    assert not (tmp_path / "out/preprocessor.json").exists()
    with pytest.raises(IntegrityError):
        Store.open(tmp_path / "out/train")


def test_a_full_disk_is_the_systems_error(
    tmp_path: Path, data: DataConfig, divided: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        run(divided, data, tmp_path / "out")
    assert not (tmp_path / "out/preprocessor.json").exists()


def test_a_picture_that_broke_since_is_refused_by_name(
    tmp_path: Path, data: DataConfig, divided: Path
) -> None:
    (tmp_path / "data/dog/003.png").write_bytes(b"broken now")
    with pytest.raises(DataError, match=r"dog/003\.png"):
        run(divided, data, tmp_path / "out")


def test_a_picture_that_is_gone_is_refused_by_name(tmp_path: Path, data: DataConfig, divided: Path) -> None:
    (tmp_path / "data/dog/003.png").unlink()
    with pytest.raises(DataError, match=r"dog/003\.png"):
        run(divided, data, tmp_path / "out")


def test_a_missing_table_is_an_integrity_error(tmp_path: Path, data: DataConfig) -> None:
    with pytest.raises(IntegrityError):
        run(tmp_path / "nothing", data, tmp_path / "out")


def test_statistics_are_exact_and_do_not_depend_on_order() -> None:
    images = np.random.default_rng(0).integers(0, 256, (300, 7, 5, 3), dtype=np.uint8)
    assert statistics(images) == statistics(images[::-1])
    mean, std = statistics(images)
    np.testing.assert_allclose(mean, (images.reshape(-1, 3) / 255).mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(std, (images.reshape(-1, 3) / 255).std(axis=0), rtol=1e-12)


def test_a_constant_channel_is_divided_by_one() -> None:
    images = np.zeros((4, 3, 3, 2), np.uint8)
    images[..., 1] = 51
    assert statistics(images) == ([0.0, 0.2], [1.0, 1.0])


@pytest.mark.realdata
def test_real_photographs_of_all_sizes_are_prepared(tmp_path: Path, realdata: Path) -> None:
    data = DataConfig(source="image_folder", path=str(realdata / "cats_dogs"))
    run(until_split(tmp_path, data), data, tmp_path / "out")
    store = Store.open(tmp_path / "out/train", verify=True)
    assert len(store) == 839
    assert 0.2 < float(np.mean(store.images)) / 255 < 0.6
