import errno
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from convoy import io
from convoy.data import shards, store
from convoy.data.store import Store
from convoy.errors import IntegrityError


def write(folder: Path, length: int = 6, finish: bool = True) -> None:
    writer = store.create(folder, length, (4, 5, 3))
    writer.images[:] = np.arange(length, dtype=np.uint8)[:, None, None, None]
    writer.target[:] = np.arange(length) % 2
    writer.id[:] = np.array([f"{n:032x}" for n in range(length)], dtype="S32")
    if finish:
        writer.finish()


def write_shards(folder: Path, lengths: Sequence[int], keypoints: bool = False) -> NDArray[np.uint8]:
    """A store of several shards; returns its pictures."""
    folder.mkdir(parents=True)
    count = sum(lengths)
    pictures = np.random.default_rng(0).integers(0, 256, (count, 4, 5, 3), dtype=np.uint8)
    written, start = [], 0
    for number, length in enumerate(lengths):
        part = pictures[start : start + length]
        written.append(shards.write(folder / f"shard-{number}.npy", [part], length, (4, 5, 3)))
        start += length
    arrays = {"target": np.arange(count), "id": np.array([f"{n:032x}" for n in range(count)], dtype="S32")}
    if keypoints:
        arrays["keypoints"] = np.arange(count * 6, dtype=np.float32).reshape(count, 2, 3)
    store.finish(folder, written, (4, 5, 3), arrays)
    return pictures


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
def test_a_batch_from_several_shards_is_that_from_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(store, "_IN_MEMORY", in_memory)
    pictures = write_shards(tmp_path / "many", (5, 1, 9))
    write_shards(tmp_path / "one", (15,))
    many, one = (Store.open(tmp_path / name, verify=True) for name in ("many", "one"))
    assert isinstance(one.images, np.ndarray)
    assert isinstance(many.images, shards.Rows) == (in_memory == 0)
    indices = np.array([14, 0, 5, 5, 6])
    for opened in (many, one):
        assert len(opened) == len(opened.images) == 15
        batch = opened[indices]
        assert list(batch) == ["images", "target", "id"]
        np.testing.assert_array_equal(batch["images"], pictures[indices])
        assert batch["target"].tolist() == indices.tolist()
        assert batch["images"].flags.writeable
        np.testing.assert_array_equal(np.asarray(opened.images), pictures)
        with pytest.raises((TypeError, ValueError), match=r"assign|read-only"):
            opened.images[0] = 0
        assert opened.keypoints is None
    assert many.digest != one.digest


def test_keypoints_belong_to_the_batch_where_there_are_any(tmp_path: Path) -> None:
    write_shards(tmp_path / "store", (5, 4), keypoints=True)
    opened = Store.open(tmp_path / "store", verify=True)
    assert opened.keypoints is not None
    np.testing.assert_array_equal(opened[np.array([8, 2])]["keypoints"], opened.keypoints[[8, 2]])


@pytest.mark.parametrize("name", ["shard-1.npy", "target.npy", "id.npy"])
def test_a_flipped_byte_in_any_file_is_found_when_asked_for(tmp_path: Path, name: str) -> None:
    write_shards(tmp_path / "store", (5, 4))
    path = tmp_path / "store" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(IntegrityError, match="bytes") as refused:
        Store.open(tmp_path / "store", verify=True)
    assert name in refused.value.where


def test_a_missing_shard_is_refused(tmp_path: Path) -> None:
    write_shards(tmp_path / "store", (5, 4))
    (tmp_path / "store/shard-1.npy").unlink()
    with pytest.raises(IntegrityError, match="array"):
        Store.open(tmp_path / "store")


def test_a_batch_is_gathered_in_the_order_asked_for(tmp_path: Path) -> None:
    write(tmp_path)
    opened = Store.open(tmp_path, verify=True)
    batch = opened[np.array([4, 1, 1])]
    assert len(opened) == 6
    assert batch["images"].shape == (3, 4, 5, 3)
    assert batch["images"][:, 0, 0, 0].tolist() == [4, 1, 1]
    assert batch["target"].tolist() == [0, 1, 1]
    assert batch["id"][0] == b"0" * 31 + b"4"
    assert type(batch["images"]) is np.ndarray
    assert batch["images"].flags.writeable
    assert not opened.images.flags.writeable


def test_the_same_content_gives_the_same_bytes_and_digest(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two")
    assert io.sha256_tree(tmp_path / "one") == io.sha256_tree(tmp_path / "two")
    assert Store.open(tmp_path / "one").digest == Store.open(tmp_path / "two").digest
    write(tmp_path / "three", length=5)
    assert Store.open(tmp_path / "three").digest != Store.open(tmp_path / "one").digest


def test_a_store_that_was_not_finished_is_none(tmp_path: Path) -> None:
    write(tmp_path, finish=False)
    with pytest.raises(IntegrityError, match=r"schema\.json is missing"):
        Store.open(tmp_path)


def test_a_store_that_is_written_again_is_none_until_it_is_finished(tmp_path: Path) -> None:
    write(tmp_path)
    store.create(tmp_path, 6, (4, 5, 3))
    with pytest.raises(IntegrityError):
        Store.open(tmp_path)


def test_writing_again_never_writes_through_a_link_into_a_cache(tmp_path: Path) -> None:
    write(tmp_path / "cache")
    before = io.sha256_file(tmp_path / "cache/images.npy")
    (tmp_path / "store").mkdir()
    os.link(tmp_path / "cache/images.npy", tmp_path / "store/images.npy")
    write(tmp_path / "store", length=3)
    assert io.sha256_file(tmp_path / "cache/images.npy") == before


@pytest.mark.parametrize("name", ["images", "target", "id"])
def test_an_array_cut_short_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    path = tmp_path / f"{name}.npy"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(IntegrityError, match="array"):
        Store.open(tmp_path)


@pytest.mark.parametrize("name", ["images", "target", "id"])
def test_a_missing_array_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    (tmp_path / f"{name}.npy").unlink()
    with pytest.raises(IntegrityError, match=r"array"):
        Store.open(tmp_path)


def test_an_array_of_another_shape_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    np.save(tmp_path / "images.npy", np.zeros((6, 4, 5, 1), np.uint8))
    with pytest.raises(IntegrityError, match="schema says"):
        Store.open(tmp_path)


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    write(tmp_path)
    np.save(tmp_path / "target.npy", np.array([{}] * 6, dtype=object), allow_pickle=True)
    with pytest.raises(IntegrityError):
        Store.open(tmp_path)


def test_a_flipped_byte_is_found_when_asked_for(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    Store.open(tmp_path)
    with pytest.raises(IntegrityError, match="bytes"):
        Store.open(tmp_path, verify=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2, "shards": 3}',
        '{"version": 2, "shards": [], "arrays": {}, "image": [1, 1, 1], "length": 0}',
        '{"version": 2, "shards": [{"file": "../../x.npy"}]}',
    ],
)
def test_a_damaged_schema_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path)
    (tmp_path / "schema.json").write_text(text, encoding="utf-8")
    with pytest.raises(IntegrityError):
        Store.open(tmp_path)


@pytest.mark.parametrize("file", ["../outside.npy", "/outside.npy", ".hidden.npy", "schema.json", 5])
def test_a_shard_that_is_no_file_of_the_folder_is_refused(tmp_path: Path, file: object) -> None:
    write(tmp_path / "store")
    np.save(tmp_path / "outside.npy", np.zeros((6, 4, 5, 3), np.uint8))
    schema = io.read_json(tmp_path / "store/schema.json")
    schema["shards"][0]["file"] = file
    io.write_json(tmp_path / "store/schema.json", schema)
    with pytest.raises(IntegrityError, match="damaged"):
        Store.open(tmp_path / "store")


def test_a_store_of_an_earlier_version_says_so(tmp_path: Path) -> None:
    write(tmp_path)
    io.write_json(tmp_path / "schema.json", {**io.read_json(tmp_path / "schema.json"), "version": 1})
    with pytest.raises(IntegrityError, match="of version 1") as refused:
        Store.open(tmp_path)
    assert "dvc repro" in refused.value.fix


def test_lengths_that_differ_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    schema = io.read_json(tmp_path / "schema.json")
    schema["length"] = 7
    io.write_json(tmp_path / "schema.json", schema)
    with pytest.raises(IntegrityError, match="length"):
        Store.open(tmp_path)


def test_a_full_disk_is_an_error_before_anything_is_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left") as error:
        store.create(tmp_path, 6, (4, 5, 3))
    assert error.value.errno == errno.ENOSPC


def test_a_file_system_that_cannot_reserve_gets_zeros_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(handle: int, offset: int, size: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    write(tmp_path / "zeros")
    monkeypatch.undo()
    write(tmp_path / "reserved")
    assert io.sha256_tree(tmp_path / "zeros") == io.sha256_tree(tmp_path / "reserved")
