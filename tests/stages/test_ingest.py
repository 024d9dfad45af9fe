import os
import shutil
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
        "notes": [],
        "task": "classification",
        "points": [],
        "separator": "",
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


def test_a_file_that_cannot_be_read_is_a_problem_under_an_id_of_its_own(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 1, "dog": 1})
    (tmp_path / "data/cat/broken.jpg").symlink_to(tmp_path / "data/cat/gone.jpg")
    ingest(folder(tmp_path / "data"), out=tmp_path / "out")
    samples = manifest.read(tmp_path / "out").set_index("path")
    assert samples["problem"].isna().tolist() == [True, False, True]
    assert "cannot read 'cat/broken.jpg'" in samples["problem"]["cat/broken.jpg"]
    assert str(tmp_path) not in samples["problem"]["cat/broken.jpg"]
    assert samples["id"]["cat/broken.jpg"] == manifest.content_id(b"unreadable:cat/broken.jpg")


def test_what_the_source_says_of_a_row_goes_before(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 1})
    (tmp_path / "data/labels.csv").write_text("path,label\ncat/000.png,cat\ngone.png,dog\n")
    data = DataConfig(
        source="table", path=str(tmp_path / "data"), table="labels.csv", image_col="path", target="label"
    )
    ingest(data, out=tmp_path / "out")
    assert manifest.read(tmp_path / "out")["problem"].tolist() == [
        None,
        "labels.csv:3: there is no file 'gone.png'",
    ]


class Aged:
    """Runs of ingest over files that changed long ago, as far as the clock tells; counts what is read."""

    def __init__(
        self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.root, self._capsys = root, capsys
        monkeypatch.setattr("convoy.data.stamps.RACY", 0)

    def run(self, known: str | None = "known") -> str:
        """What it says, after it was found to write the bytes of a run that knows nothing."""
        for out, place in (("out", known), ("plain", None)):
            self._capsys.readouterr()
            ingest(
                folder(self.root / "data"),
                out=self.root / out,
                known=None if place is None else self.root / place,
            )
            if out == "out":
                said = self._capsys.readouterr().out
        assert io.sha256_tree(self.root / "out") == io.sha256_tree(self.root / "plain")
        return said


@pytest.fixture
def aged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Aged:
    write_folder(tmp_path / "data", {"cat": 3, "dog": 2})
    return Aged(tmp_path, monkeypatch, capsys)


def test_only_new_and_changed_files_are_read_again(aged: Aged) -> None:
    assert aged.run() == "ingest: 5 samples, 5 read, 0 known\n"
    assert aged.run() == "ingest: 5 samples, 0 read, 5 known\n"
    write_folder(aged.root / "data", {"bird": 4})
    assert aged.run() == "ingest: 9 samples, 4 read, 5 known\n"
    path = aged.root / "data/cat/000.png"
    times, size = path.stat().st_mtime_ns, path.stat().st_size
    path.write_bytes(bytes(size))
    os.utime(path, ns=(times, times))  # same size and time of modification
    assert aged.run() == "ingest: 9 samples, 1 read, 8 known\n"
    (aged.root / "data/cat/001.png").unlink()
    assert aged.run() == "ingest: 8 samples, 0 read, 8 known\n"


def test_a_file_that_changed_within_two_seconds_is_read_again(
    aged: Aged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convoy.data.stamps.RACY", 1 << 62)
    assert aged.run() == aged.run() == "ingest: 5 samples, 5 read, 0 known\n"


def test_what_is_known_may_be_damaged_or_deleted_at_any_time(aged: Aged) -> None:
    aged.run()
    (table,) = (aged.root / "known").iterdir()
    table.write_bytes(b"damaged")
    assert "5 read" in aged.run()
    table.unlink()
    assert "5 read" in aged.run()
    (aged.root / "a file").write_bytes(b"")
    assert "5 read" in aged.run("a file/no folder")


def test_what_could_not_be_read_is_tried_again(aged: Aged) -> None:
    link = aged.root / "data/cat/later.png"
    link.symlink_to(aged.root / "data/cat/target.dat")
    assert "6 read" in aged.run()
    (aged.root / "data/cat/target.dat").write_bytes(b"now")
    assert "1 read" in aged.run()
    assert "problem" not in manifest.read(aged.root / "out").columns


def test_an_archive_is_known_too(aged: Aged, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.make_archive(str(tmp_path / "data"), "zip", tmp_path / "data")
    ingest(folder(tmp_path / "data"), out=tmp_path / "plain")
    for said in ("5 read, 0 known", "0 read, 5 known"):
        ingest(folder(tmp_path / "data.zip"), out=tmp_path / "out", known=tmp_path / "known")
        assert said in capsys.readouterr().out
        assert (tmp_path / "out/samples.parquet").read_bytes() == (
            tmp_path / "plain/samples.parquet"
        ).read_bytes()


def test_notes_are_told_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path / "data", {"cat": 1})
    (tmp_path / "data/labels.csv").write_bytes("path,label\ncat/000.png,狗\n".encode("gbk"))
    data = DataConfig(
        source="table", path=str(tmp_path / "data"), table="labels.csv", image_col="path", target="label"
    )
    ingest(data, out=tmp_path / "out")
    (note,) = io.read_json(tmp_path / "out/source.json")["notes"]
    assert f"ingest: {note}\n" in capsys.readouterr().out
    assert "gb18030" in note


def test_corrections_are_laid_over_the_samples(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 2, "dog": 1})
    ingest(folder(tmp_path / "data"), out=tmp_path / "out", corrections=tmp_path / "none.csv")
    before = manifest.read(tmp_path / "out")
    rows = f"id,path,target,action,label\n{before['id'][0]},cat/000.png,cat,relabel,dog\n"
    (tmp_path / "fixes.csv").write_text(rows)
    ingest(folder(tmp_path / "data"), out=tmp_path / "out", corrections=tmp_path / "fixes.csv")
    after = manifest.read(tmp_path / "out")
    assert after["target"].tolist() == ["dog", "cat", "dog"]
    assert io.read_json(tmp_path / "out/source.json")["digest"] == manifest.digest(after)


def test_a_source_that_is_no_data_leaves_the_former_output_alone(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 1, "dog": 1})
    ingest(folder(tmp_path / "data"), out=tmp_path / "out")
    before = io.sha256_tree(tmp_path / "out")
    with pytest.raises(DataError):
        ingest(folder(tmp_path / "nothing"), out=tmp_path / "out")
    assert io.sha256_tree(tmp_path / "out") == before
