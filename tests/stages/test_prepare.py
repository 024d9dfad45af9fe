import errno
import os
from pathlib import Path

import numpy as np
import pytest

from convoy import io
from convoy.config.data import DataConfig, PrepareConfig
from convoy.data import manifest, pixels, workers
from convoy.data.decoding import Decoder, Picture
from convoy.data.store import Store
from convoy.errors import DataError, IntegrityError
from convoy.stages.prepare import prepare
from tests.data.pictures import encoded, gradient, write_folder, write_idx
from tests.stages.dividing import divided as divide

CONFIG = PrepareConfig(height=8, width=10, channels=3, resize="fit")
MAX_PIXELS = 1_000_000


@pytest.fixture
def data(tmp_path: Path) -> DataConfig:
    write_folder(tmp_path / "data", {"猫": 12, "dog": 10})
    return DataConfig(source="image_folder", path=str(tmp_path / "data"))


@pytest.fixture
def divided(tmp_path: Path, data: DataConfig) -> Path:
    return divide(tmp_path, data)


def run(
    divided: Path,
    data: DataConfig,
    out: Path,
    config: PrepareConfig = CONFIG,
    processes: int | None = None,
) -> None:
    prepare(divided, data, config, max_pixels=MAX_PIXELS, out=out, processes=processes)


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
        "interpolation": "area",
    }
    scaled = Store.open(tmp_path / "out/train").images.reshape(-1, 3) / 255
    np.testing.assert_allclose(preprocessor["mean"], scaled.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(preprocessor["std"], scaled.std(axis=0), rtol=1e-12)


def test_pictures_are_resized_as_params_say_and_as_serving_will(
    tmp_path: Path, data: DataConfig, divided: Path
) -> None:
    run(divided, data, tmp_path / "area")
    run(divided, data, tmp_path / "nearest", CONFIG.model_copy(update={"interpolation": "nearest"}))
    spec = io.read_json(tmp_path / "nearest/preprocessor.json")["spec"]
    assert spec["interpolation"] == "nearest"
    first = manifest.read(divided).query("split == 'train'")["path"].iloc[0]
    image = Store.open(tmp_path / "nearest/train").images[0]
    np.testing.assert_array_equal(image, pixels.prepare((tmp_path / "data" / first).read_bytes(), spec))
    assert not np.array_equal(image, Store.open(tmp_path / "area/train").images[0])


def test_rows_of_idx_files_are_prepared(tmp_path: Path) -> None:
    images, labels = write_idx(tmp_path / "data", 60)
    data = DataConfig(source="idx", path=str(tmp_path / "data"))
    folder = divide(tmp_path, data)
    run(folder, data, tmp_path / "out", PrepareConfig(height=8, width=8, channels=1, resize="stretch"))
    rows = manifest.read(folder)
    first = int(rows.loc[rows["split"] == "val", "path"].iloc[0].rpartition("#")[2])
    store = Store.open(tmp_path / "out/val")
    np.testing.assert_array_equal(store.images[0], pixels.resize(images[first][:, :, None], 8, 8, "stretch"))
    assert store.target[0] == ["0", "3", "7"].index(str(labels[first]))


def test_the_same_data_give_the_same_bytes_in_threads_and_in_any_number_of_processes(
    tmp_path: Path, data: DataConfig, divided: Path
) -> None:
    for processes in (None, 0, 1, 3):
        run(divided, data, tmp_path / f"out {processes}", processes=processes)
    digests = {io.sha256_tree(tmp_path / f"out {processes}") for processes in (None, 0, 1, 3)}
    assert len(digests) == 1


def test_nothing_but_the_stores_is_left(tmp_path: Path, data: DataConfig, divided: Path) -> None:
    run(divided, data, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "preprocessor.json",
        "test",
        "train",
        "val",
    ]
    (shard,) = (tmp_path / "out/train").glob("shard-*.npy")
    assert sorted(path.name for path in (tmp_path / "out/train").iterdir()) == sorted(
        ["id.npy", "schema.json", shard.name, "target.npy"]
    )


def test_leftovers_of_a_killed_run_do_not_remain(tmp_path: Path, data: DataConfig, divided: Path) -> None:
    run(divided, data, tmp_path / "whole")
    run(divided, data, tmp_path / "out")
    (tmp_path / "out/train/schema.json").unlink()
    (tmp_path / "out/train/shard-0123456789abcdef.npy").write_bytes(b"half")
    (tmp_path / "out/train/.schema.json.x.part").write_bytes(b"{")
    (tmp_path / "out/.shelf/kind").mkdir(parents=True)
    run(divided, data, tmp_path / "out")
    assert io.sha256_tree(tmp_path / "out") == io.sha256_tree(tmp_path / "whole")
    assert not (tmp_path / "out/.shelf").exists()


def test_a_run_that_dies_leaves_nothing_that_passes_for_whole(
    tmp_path: Path, data: DataConfig, divided: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(divided, data, tmp_path / "out")
    calls = 0

    def die(*arguments: object) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls > 9:
            raise KeyboardInterrupt
        return np.zeros((8, 10, 3), np.uint8)

    monkeypatch.setattr(pixels, "fitted", die)
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


@pytest.mark.parametrize("processes", [0, 2])
def test_a_picture_that_changed_since_is_refused_by_name(
    tmp_path: Path, data: DataConfig, divided: Path, processes: int
) -> None:
    (tmp_path / "data/dog/003.png").write_bytes(encoded(gradient()))
    with pytest.raises(DataError, match=r"dog/003\.png is not what it was") as refused:
        run(divided, data, tmp_path / "out", processes=processes)
    assert "run the pipeline again" in refused.value.fix


@pytest.mark.parametrize("processes", [0, 2])
def test_a_picture_that_does_not_open_is_refused_by_name(
    tmp_path: Path, data: DataConfig, processes: int
) -> None:
    (tmp_path / "data/dog/003.png").write_bytes(b"broken from the start")
    folder = divide(tmp_path, data)
    with pytest.raises(DataError, match=r"dog/003\.png does not open"):
        run(folder, data, tmp_path / "out", processes=processes)


def test_a_picture_that_is_gone_is_refused_by_name(tmp_path: Path, data: DataConfig, divided: Path) -> None:
    (tmp_path / "data/dog/003.png").unlink()
    with pytest.raises(DataError, match=r"dog/003\.png"):
        run(divided, data, tmp_path / "out")


def test_a_picture_that_kills_its_process_is_refused_by_name(
    tmp_path: Path, data: DataConfig, divided: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(make: Decoder, items: list[tuple[str, str]], **how: object) -> list[Picture | workers.Died]:
        do = make()
        return [workers.Died("crash", "the decoder crashed: SIGSEGV") if n == 4 else do(item)
                for n, item in enumerate(items)]  # fmt: skip

    monkeypatch.setattr(workers, "run", died)
    with pytest.raises(DataError, match=r"\.png: the decoder crashed: SIGSEGV"):
        run(divided, data, tmp_path / "out", processes=2)


def test_a_missing_table_is_an_integrity_error(tmp_path: Path, data: DataConfig) -> None:
    with pytest.raises(IntegrityError):
        run(tmp_path / "nothing", data, tmp_path / "out")


def test_keypoints_follow_their_pictures(tmp_path: Path, data: DataConfig, divided: Path) -> None:
    samples = manifest.read(divided)  # pictures of 12 rows and 16 columns, fitted into 8 rows and 10 columns
    points = [[0.0, 0.0, 2.0, 15.0, 11.0, 1.0, 3.0, 3.0, 0.0]] * (len(samples) - 1)
    manifest.write(divided, samples.assign(target=None, keypoints=[*points, None]))
    run(divided, data, tmp_path / "out")
    stores = [Store.open(tmp_path / "out" / side, verify=True) for side in manifest.SPLITS]
    for store in stores:
        assert store.target.tolist() == [-1] * len(store)
        assert store.keypoints is not None
        assert store[np.array([0])]["keypoints"].dtype == np.float32
    rows = np.concatenate([store.keypoints for store in stores if store.keypoints is not None])
    whole = [row for row in rows.tolist() if any(map(any, row))]
    assert len(whole) == len(samples) - 1
    # 12 x 16 becomes 8 x 10 (0.667 down, 0.625 across): nothing is padded, the scales differ a little.
    expected = [[0.5 * 10 / 16 - 0.5, 0.5 * 8 / 12 - 0.5, 2], [15.5 * 10 / 16 - 0.5, 11.5 * 8 / 12 - 0.5, 1]]
    for row in whole:
        np.testing.assert_allclose(row, [*expected, [0, 0, 0]], atol=1e-6)


@pytest.mark.realdata
def test_real_photographs_of_all_sizes_are_prepared(tmp_path: Path, realdata: Path) -> None:
    data = DataConfig(source="image_folder", path=str(realdata / "cats_dogs"))
    run(divide(tmp_path, data), data, tmp_path / "out")
    store = Store.open(tmp_path / "out/train", verify=True)
    assert 750 < len(store) < 930
    assert 0.2 < float(np.mean(store.images)) / 255 < 0.6
