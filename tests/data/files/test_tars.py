import io
import tarfile
from pathlib import Path

import pytest

from convoy.data.files import open_place
from convoy.errors import DataError
from tests.data.files.archives import CONTENT, write_tar


def add(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("good.png"))
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, to
    return made


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/x.png", "C:/x.png", "a//x.png"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="lead out"):
        open_place(add(tmp_path / "a.tar", member(name)), "").names()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"]
)
def test_links_and_devices_are_refused_by_name(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(DataError, match=r"links, devices.*odd\.png"):
        open_place(add(tmp_path / "a.tar", member("odd.png", kind, "good.png")), "").names()


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one name: 'good\.png'"):
        open_place(add(tmp_path / "a.tar", member("./good.png")), "").names()


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", encoding="latin-1", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(member("café.png"))
    with pytest.raises(DataError, match="not UTF-8"):
        open_place(tmp_path / "a.tar", "").names()


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convoy.data.files.tars.MOST_MEMBERS", 2)
    with pytest.raises(DataError, match="more than 2 members"):
        open_place(write_tar(tmp_path / "a.tar"), "").names()


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_and_chinese_names_are_read(tmp_path: Path, format: int) -> None:
    name = "很长的名字/" * 30 + "1.png"
    with tarfile.open(tmp_path / "a.tar", "w", format=format, encoding="utf-8") as archive:
        archive.addfile(member("dog/1.png"))
        archive.addfile(member(name))
    assert open_place(tmp_path / "a.tar", "").names() == ["dog/1.png", name]


def test_a_damaged_header_in_the_middle_does_not_end_the_list_silently(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar")
    content = bytearray(archive.read_bytes())
    at = content.index(b"notes.txt")
    content[at] ^= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        open_place(archive, "").names()


def test_a_member_that_claims_more_than_there_is_is_refused(tmp_path: Path) -> None:
    large = tarfile.TarInfo("large.png")
    large.size = 1 << 20
    (tmp_path / "a.tar").write_bytes(large.tobuf() + bytes(1024))
    with pytest.raises(DataError, match=r"truncated|damaged"):
        open_place(tmp_path / "a.tar", "").names()


def test_a_tar_of_1979_has_no_magic_and_goes_by_its_name(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "a.tar", {"cat/1.png": b"one", "x": b"x"})
    content = bytearray(archive.read_bytes())
    for start in (0, 1024):
        content[start + 257 : start + 265] = bytes(8)
        content[start + 148 : start + 156] = b" " * 8
        content[start + 148 : start + 155] = b"%06o\0" % sum(content[start : start + 512])
    archive.write_bytes(content)
    assert open_place(archive, "").read("cat/1.png") == b"one"


def test_shards_that_hold_one_name_twice_are_refused(tmp_path: Path) -> None:
    for number in range(2):
        write_tar(tmp_path / f"{number}.tar", {"cat/1.png": b"one"})
    with pytest.raises(DataError, match=r"two shards: 0\.tar and 1\.tar"):
        open_place(tmp_path, "").names()


def test_tars_beside_other_files_are_no_shards(tmp_path: Path) -> None:
    write_tar(tmp_path / "0.tar")
    (tmp_path / "labels.csv").write_bytes(b"x")
    assert open_place(tmp_path, "").names() == ["0.tar", "labels.csv"]


def test_hidden_files_beside_shards_stay_hidden(tmp_path: Path) -> None:
    write_tar(tmp_path / "0.tar")
    (tmp_path / ".gitignore").write_bytes(b"x")
    found = open_place(tmp_path, "")
    assert found.hidden() == [".gitignore", ".hidden"]
    assert found.read("notes.txt") == CONTENT["notes.txt"]
