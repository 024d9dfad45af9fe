from pathlib import Path

import pytest

from convoy import io
from convoy.config.data import DataConfig
from convoy.data import manifest
from convoy.errors import DataError
from convoy.stages.ingest import ingest
from tests.data.pictures import write_folder, write_idx


def folder(path: Path) -> DataConfig:
    return DataConfig(source="image_folder", path=str(path))


def test_samples_get_ids_in_the_order_of_the_source(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 2, "dog": 1})
    (tmp_path / "data/dog/notes.txt").write_bytes(b"")
    ingest(folder(tmp_path / "data"), out=tmp_path / "out")
    samples = manifest.read(tmp_path / "out")
    assert samples["path"].tolist() == ["cat/000.png", "cat/001.png", "dog/000.png"]
    for path, identity in zip(samples["path"], samples["id"], strict=True):
        assert identity == io.sha256_file(tmp_path / "data" / path)[:32]
    assert io.read_json(tmp_path / "out/source.json") == {
        "source": "image_folder",
        "classes": ["cat", "dog"],
        "ignored": {"count": 1, "examples": ["dog/notes.txt"]},
        "digest": manifest.digest(samples),
    }


def test_rows_of_idx_files_get_ids_of_shape_and_pixels(tmp_path: Path) -> None:
    images, _ = write_idx(tmp_path / "data", 6)
    ingest(DataConfig(source="idx", path=str(tmp_path / "data")), out=tmp_path / "out")
    samples = manifest.read(tmp_path / "out")
    assert samples["id"].tolist() == [io.sha256_bytes(b"5x4:" + image.tobytes())[:32] for image in images]


def test_the_same_data_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    for place in ("one", "two 二"):
        write_folder(tmp_path / place, {"cat": 2, "dog": 2})
        ingest(folder(tmp_path / place), out=tmp_path / f"out {place}")
    assert io.sha256_tree(tmp_path / "out one") == io.sha256_tree(tmp_path / "out two 二")


def test_what_a_killed_run_left_is_gone(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 1, "dog": 1})
    (tmp_path / "out").mkdir()
    (tmp_path / "out/.samples.parquet.x.part").write_bytes(b"half")
    ingest(folder(tmp_path / "data"), out=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["samples.parquet", "source.json"]


def test_many_ignored_files_are_counted_and_ten_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 1, "dog": 1})
    for number in range(15):
        (tmp_path / f"data/cat/{number}.txt").write_bytes(b"")
    ingest(folder(tmp_path / "data"), out=tmp_path / "out")
    ignored = io.read_json(tmp_path / "out/source.json")["ignored"]
    assert ignored["count"] == 15
    assert len(ignored["examples"]) == 10


def test_an_unreadable_file_stops_the_stage_by_name_and_writes_nothing(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 1, "dog": 1})
    (tmp_path / "data/cat/broken.jpg").symlink_to(tmp_path / "data/cat/gone.jpg")
    with pytest.raises(DataError, match=r"cat/broken\.jpg"):
        ingest(folder(tmp_path / "data"), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
