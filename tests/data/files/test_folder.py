import os
from pathlib import Path

import pytest

from convoy.data.files import folder, open_place
from convoy.errors import DataError
from tests.data.files.archives import write_folder


def test_links_inside_are_followed_and_all_circles_end(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat/1.png": b"1", "dog/2.png": b"2"})
    (tmp_path / "cat/to dog").symlink_to(tmp_path / "dog")
    (tmp_path / "dog/to root").symlink_to(tmp_path)
    (tmp_path / "dog/itself").symlink_to("itself")
    (tmp_path / "cat/one").symlink_to("two")
    (tmp_path / "cat/two").symlink_to("one")
    found = open_place(tmp_path, "")
    assert [name for name in found.names() if name.endswith("png")] == [
        "cat/1.png",
        "cat/to dog/2.png",
        "dog/2.png",
    ]
    assert "dog/to root" in found.hidden()
    for name in set(found.names()) - {"cat/1.png", "cat/to dog/2.png", "dog/2.png"}:
        with pytest.raises(DataError, match="cannot read"):
            found.read(name)


def test_folders_that_multiply_by_links_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "_MOST_FOLDERS", 1000)
    for number in range(8):
        (tmp_path / str(number)).mkdir()
        for other in range(8):
            (tmp_path / str(number) / f"to {other}").symlink_to(tmp_path / str(other))
    with pytest.raises(DataError, match="more than 1,000 folders"):
        open_place(tmp_path, "").names()


def test_a_folder_that_becomes_a_link_out_is_refused_when_read(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data", {"cat/1.png": b"1"})
    write_folder(tmp_path / "outside", {"1.png": b"secret"})
    found = open_place(root, "")
    found.names()
    (root / "cat").rename(root / "former")
    (root / "cat").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="out of the data folder"):
        found.read("cat/1.png")


def test_a_pipe_is_never_opened_for_reading(tmp_path: Path) -> None:
    write_folder(tmp_path, {"1.png": b"1"})
    os.mkfifo(tmp_path / "pipe.png")
    found = open_place(tmp_path, "")
    assert found.names() == ["1.png"]
    assert found.hidden() == ["pipe.png"]
    with pytest.raises(DataError, match="no file"):
        found.read("pipe.png")


def test_a_file_too_large_to_be_read_whole_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path, {"1.png": b"12345"})
    monkeypatch.setattr(folder, "LARGEST", 4)
    with pytest.raises(DataError, match="5 bytes"):
        open_place(tmp_path, "").read("1.png")


def test_a_stamp_holds_size_times_and_inode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convoy.data.stamps.RACY", 0)
    write_folder(tmp_path, {"1.png": b"1"})
    path, found = tmp_path / "1.png", open_place(tmp_path, "")
    first = found.stamp("1.png")
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_bytes(b"2")
    os.utime(path, ns=times)  # same size, same time of modification: ctime tells
    assert found.stamp("1.png") not in (None, first)


def test_the_root_itself_may_be_reached_by_a_link(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"a/1.png": b"1"})
    (tmp_path / "link").symlink_to("data")
    assert open_place(tmp_path / "link", "").read("a/1.png") == b"1"
