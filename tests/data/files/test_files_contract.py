"""What every place of files must keep: the same files, read alike, whatever they lie in."""

import lzma
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from convoy.data.files import Files, open_place
from convoy.data.pack import pack
from convoy.errors import DataError
from tests.data.files.archives import CONTENT, NAMES, write_folder, write_tar, write_zip

_NESTED = {f"all/{name}": body for name, body in CONTENT.items()}


def _zst(path: Path) -> Path:
    plain = write_tar(path.with_suffix(".plain"))
    with pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "zstd") as out:
        out.write(plain.read_bytes())
    return path


def _shards(root: Path) -> Path:
    pack(write_folder(root / "plain"), root / "shards", max_files=2)
    return root / "shards"


PLACES: dict[str, Callable[[Path], Path]] = {
    "folder": lambda root: write_folder(root / "folder"),
    "zip": lambda root: write_zip(root / "a.zip"),
    "zip stored": lambda root: write_zip(root / "a.zip", method=0),
    "zip nested": lambda root: write_zip(root / "a.zip", _NESTED),
    "zip by another name": lambda root: write_zip(root / "a.data"),
    "tar": lambda root: write_tar(root / "a.tar"),
    "tar nested": lambda root: write_tar(root / "a.tar", _NESTED),
    "tar.gz": lambda root: write_tar(root / "a.tar.gz", mode="w:gz"),
    "tar.xz": lambda root: write_tar(root / "a.tar.xz", mode="w:xz"),
    "tar.bz2": lambda root: write_tar(root / "a.tar.bz2", mode="w:bz2"),
    "tar.zst": lambda root: _zst(root / "a.tar.zst"),
    "shards": _shards,
}


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return PLACES[request.param](tmp_path)


@pytest.fixture
def files(place: Path) -> Files:
    return open_place(place, "mend it")


def test_names_come_in_order_without_the_hidden_ones(files: Files) -> None:
    assert list(files.names()) == NAMES
    assert set(files.hidden()) <= {".hidden"}
    assert list(files.folders()) == ["cat", "cat/deep", "猫"]
    assert list(files.notes) == []


def test_the_content_is_that_of_the_files_also_in_threads(files: Files) -> None:
    names = list(files.names()) * 20
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(files.read, names)) == [CONTENT[name] for name in names]


_NO_LOCATORS = ["", ".", "..", "cat", "cat/", "nothing", "/etc/passwd", "../secret", "cat/../../secret"]
_NO_LOCATORS += ["cat/../cat/1.png", "./cat/1.png", "cat//1.png", "cat/1.png\0", "cat/1.png/", "\udcff"]


@pytest.mark.parametrize("name", _NO_LOCATORS)
def test_what_is_no_locator_of_a_file_is_refused(files: Files, place: Path, name: str) -> None:
    (place.parent / "secret").write_bytes(b"secret")
    with pytest.raises(DataError) as error:
        files.read(name)
    assert error.value.where
    assert files.stamp(name) is None or name == "cat"


def test_a_stamp_tells_that_a_file_changed_and_is_none_while_it_may_change_unseen(
    place: Path, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convoy.data.stamps.RACY", 1 << 62)
    assert files.stamp("cat/1.png") is None
    monkeypatch.setattr("convoy.data.stamps.RACY", 0)
    before = open_place(place, "").stamp("cat/1.png")
    assert before is not None
    assert before == open_place(place, "").stamp("cat/1.png")
    for path in [*place.rglob("*"), place]:
        if path.is_file():
            os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000))
    assert open_place(place, "").stamp("cat/1.png") != before


def test_a_file_that_is_damaged_anywhere_is_refused_or_reads_differently(place: Path) -> None:
    if not place.is_file():
        pytest.skip("an archive is damaged here")
    sound = place.read_bytes()
    for length in (len(sound) // 3, len(sound) // 2, 30):
        place.write_bytes(sound[:length])
        with pytest.raises(DataError) as error:
            broken = open_place(place, "mend it")
            for name in broken.names():
                assert broken.read(name) == CONTENT[name]
        assert str(place) in error.value.where


def test_compressed_tars_are_unpacked_once_and_their_former_version_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    archive = write_tar(tmp_path / "a.tar.gz", mode="w:gz")
    open_place(archive, "").names()
    (unpacked,) = Path(".convoy/cache/archives").glob("*.tar")
    made = unpacked.stat().st_mtime_ns
    open_place(archive, "").names()
    assert unpacked.stat().st_mtime_ns == made
    write_tar(archive, {"b.png": b"b"}, mode="w:gz")
    assert list(open_place(archive, "").names()) == ["b.png"]
    assert not unpacked.exists()
    shutil.rmtree(".convoy")
    assert open_place(archive, "").read("b.png") == b"b"


@pytest.mark.parametrize("magic", [b"\x1f\x8b", b"BZh", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"PK\x03\x04"])
def test_a_file_that_only_begins_like_an_archive_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, magic: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(magic + bytes(range(256)) * 9)
    with pytest.raises(DataError, match="damaged"):
        open_place(tmp_path / "a", "").names()
    assert not list(tmp_path.rglob("*.tar"))


def test_a_compressed_tar_that_holds_more_than_allowed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("convoy.data.files._archive.UNPACKED", 1 << 20)
    (tmp_path / "bomb.tar.xz").write_bytes(lzma.compress(bytes(8 << 20)))
    with pytest.raises(DataError, match="more than the"):
        open_place(tmp_path / "bomb.tar.xz", "")
    assert not list(tmp_path.rglob("*.tar"))


def test_gnu_tar_and_info_zip_write_what_is_read(tmp_path: Path) -> None:
    write_folder(tmp_path / "data")
    tools = {"tar": ["tar", "-C", "data", "-cf", "a.tar", "."], "zip": ["zip", "-qr", "a.zip", "data"]}
    for name, command in tools.items():
        if shutil.which(name) is None:
            continue
        subprocess.run(command, cwd=tmp_path, check=True)
        found = open_place(tmp_path / command[-2 if name == "tar" else 2], "")
        assert list(found.names()) == NAMES
        assert found.read("猫/3.png") == b""


def test_an_archive_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip")
    found = open_place(archive, "")
    found.names()
    write_zip(archive, {"cat/1.png": b"other", "more": b"more"})
    with pytest.raises(DataError, match="changed"):
        found.read("cat/1.png")
