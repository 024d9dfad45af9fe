import stat
import zipfile
from pathlib import Path

import pytest

from convoy.data.files import _archive, open_place
from convoy.errors import DataError
from tests.data.files.archives import raw_zip, write_zip


@pytest.mark.parametrize(
    "name",
    [
        "../x.png",
        "a/../../x.png",
        "/x.png",
        "C:/x.png",
        "a/./x.png",
        "a//x.png",
        "",
        "a\0b.png",
        "a/..",
        "C:",
    ],
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    archive = raw_zip(tmp_path / "a.zip", [b"good.png", name.encode()])
    with pytest.raises(DataError) as error:
        open_place(archive, "").names()
    assert "names that lead out" in error.value.what or "damaged" in error.value.what
    assert error.value.where == str(archive)


def test_backslashes_of_windows_are_slashes_and_may_not_lead_out(tmp_path: Path) -> None:
    assert open_place(raw_zip(tmp_path / "a.zip", [b"cat\\1.png", b"d.png"], system=0), "").names() == [
        "cat/1.png",
        "d.png",
    ]
    with pytest.raises(DataError, match="lead out"):
        open_place(raw_zip(tmp_path / "b.zip", [b"..\\1.png"], system=0), "").names()
    with pytest.raises(DataError, match="lead out"):
        open_place(raw_zip(tmp_path / "c.zip", [b"C:\\1.png"], system=0), "").names()


def test_names_of_chinese_windows_are_read_and_said_so(tmp_path: Path) -> None:
    found = open_place(
        raw_zip(tmp_path / "a.zip", ["猫/一.png".encode("gb18030"), b"dog/1.png"], system=0), ""
    )
    assert found.names() == ["dog/1.png", "猫/一.png"]
    assert "gb18030" in found.notes[0]
    assert found.read("猫/一.png") == b"body"


@pytest.mark.parametrize("system", [0, 3])
def test_unmarked_utf8_names_are_read_without_a_word(tmp_path: Path, system: int) -> None:
    found = open_place(raw_zip(tmp_path / "a.zip", ["猫/é.png".encode(), b"x"], system=system), "")
    assert found.names() == ["x", "猫/é.png"]
    assert found.notes == []


@pytest.mark.parametrize("flags", [0, 0x800])
def test_names_in_no_known_encoding_are_refused(tmp_path: Path, flags: int) -> None:
    with pytest.raises(DataError, match="UTF-8"):
        open_place(raw_zip(tmp_path / "a.zip", [b"caf\xe9.png\xff"], flags=flags), "").names()


@pytest.mark.parametrize("flags", [0x1, 0x41, 0x2000])
def test_encrypted_members_are_refused_by_name(tmp_path: Path, flags: int) -> None:
    with pytest.raises(DataError, match=r"encrypted.*a\.png"):
        open_place(raw_zip(tmp_path / "a.zip", [b"a.png"], flags=flags), "").names()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused_by_name(tmp_path: Path, kind: int) -> None:
    archive = raw_zip(tmp_path / "a.zip", [b"a.png"], attributes=(kind | 0o777) << 16)
    with pytest.raises(DataError, match=r"links or devices.*a\.png"):
        open_place(archive, "").names()


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"one name: 'a\.png'"):
        open_place(raw_zip(tmp_path / "a.zip", [b"a.png", b"b.png", b"a.png"]), "").names()


def test_a_name_that_is_file_and_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="files and folders"):
        open_place(raw_zip(tmp_path / "a.zip", [b"a", b"a/b.png"]), "").names()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 9, 93])
def test_other_compressions_are_refused(tmp_path: Path, method: int) -> None:
    with pytest.raises(DataError, match="neither stored nor deflated"):
        open_place(raw_zip(tmp_path / "a.zip", [b"a.png"], method=method), "").names()


def test_a_member_that_yields_more_than_it_declares_is_refused(tmp_path: Path) -> None:
    found = open_place(raw_zip(tmp_path / "a.zip", [b"a"], method=8, body=bytes(10 << 20), declared=100), "")
    with pytest.raises(DataError, match="more than the 100 bytes"):
        found.read("a")


@pytest.mark.parametrize("method", [0, 8])
def test_a_member_that_yields_less_than_it_declares_is_refused(tmp_path: Path, method: int) -> None:
    found = open_place(raw_zip(tmp_path / "a.zip", [b"a"], method=method, declared=5), "")
    with pytest.raises(DataError, match=r"damaged|truncated"):
        found.read("a")


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path: Path) -> None:
    archive = raw_zip(tmp_path / "a.zip", [b"a.png"], body=b"the body of a picture")
    archive.write_bytes(archive.read_bytes().replace(b"the body", b"thf body"))
    with pytest.raises(DataError, match="checksum"):
        open_place(archive, "").read("a.png")


def test_members_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    archive = raw_zip(tmp_path / "a.zip", [b"a.png", b"b.png"])
    content = bytearray(archive.read_bytes())
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = bytes(4)  # its header: that of the first
    archive.write_bytes(content)
    with pytest.raises(DataError, match="overlap"):
        open_place(archive, "").names()


def test_sizes_over_the_bounds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = raw_zip(tmp_path / "a.zip", [b"a.png"], method=8, declared=(1 << 31) + 1)
    with pytest.raises(DataError, match=r"files of more than.*a\.png"):
        open_place(large, "").names()
    many = raw_zip(tmp_path / "b.zip", [b"%d.png" % n for n in range(4)], method=8, declared=1 << 31)
    with pytest.raises(DataError, match="claims to hold 8,589,934,592 bytes"):
        open_place(many, "").names()
    monkeypatch.setattr("convoy.data.files.zips.MOST_MEMBERS", 3)
    with pytest.raises(DataError, match="4 members"):
        open_place(raw_zip(tmp_path / "c.zip", [b"%d.png" % n for n in range(4)]), "").names()
    assert _archive.MOST_MEMBERS == 2_000_000


def test_bytes_before_the_archive_are_skipped(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip")
    archive.write_bytes(b"PK\x03\x04 a self-extracting head " + archive.read_bytes())
    assert open_place(archive, "").read("cat/1.png") == b"one"


def test_what_macos_adds_is_hidden_and_its_folder_entered(tmp_path: Path) -> None:
    content = {"set/cat/1.png": b"1", "set/.DS_Store": b"", "__MACOSX/set/cat/._1.png": b""}
    found = open_place(write_zip(tmp_path / "a.zip", content), "")
    assert found.names() == ["cat/1.png"]
    assert found.hidden() == [".DS_Store", "__MACOSX"]
    assert found.folders() == ["cat"]


def test_empty_folders_are_folders(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("cat")
        archive.writestr("dog/1.png", b"1")
    assert open_place(tmp_path / "a.zip", "").folders() == ["cat", "dog"]


def test_an_empty_zip_has_no_files(tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    assert open_place(tmp_path / "a.zip", "").names() == []
