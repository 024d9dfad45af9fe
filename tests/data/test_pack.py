import os
import tarfile
from pathlib import Path

import pytest

from convoy import io
from convoy.data.files import open_place
from convoy.data.pack import pack
from convoy.errors import DataError
from tests.data.files.archives import CONTENT, NAMES, write_folder


def test_shards_read_back_as_the_folder(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data")
    (root / "leer" / "inside").mkdir(parents=True)
    shards = pack(root, tmp_path / "out", max_files=2)
    assert [path.name for path in shards] == ["00000.tar", "00001.tar", "00002.tar"]
    found = open_place(tmp_path / "out", "")
    assert list(found.names()) == NAMES
    assert all(found.read(name) == CONTENT[name] for name in NAMES)
    assert list(found.folders()) == list(open_place(root, "").folders())


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_folder(tmp_path / name)
        os.utime(tmp_path / name / "notes.txt", (len(name), hash(name) % 1000))
        pack(tmp_path / name, tmp_path / f"out {name}")
    (tmp_path / "two/cat/1.png").chmod(0o600)
    assert io.sha256_tree(tmp_path / "out one") == io.sha256_tree(tmp_path / "out two")


def test_shards_have_at_most_so_many_files_and_bytes(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data", {f"{n:02}": bytes(100) for n in range(10)})
    for bounds, counts in (
        ({"max_files": 4}, [4, 4, 2]),
        ({"max_bytes": 300}, [3, 3, 3, 1]),
        ({"max_bytes": 1}, [1] * 10),
    ):
        out = tmp_path / f"out {bounds}"
        shards = pack(root, out, **bounds)
        assert [_length(path) for path in shards] == counts


def _length(shard: Path) -> int:
    with tarfile.open(shard) as archive:
        return len(archive.getnames())


def test_an_archive_can_be_packed_again(tmp_path: Path) -> None:
    pack(write_folder(tmp_path / "data"), tmp_path / "one", max_files=1)
    pack(tmp_path / "one", tmp_path / "two")
    assert list(open_place(tmp_path / "two", "").names()) == NAMES


def test_long_and_chinese_names_are_packed(tmp_path: Path) -> None:
    name = "很长的名字/" * 12 + "1.png"
    pack(write_folder(tmp_path / "data", {name: b"1"}), tmp_path / "out")
    assert open_place(tmp_path / "out", "").read(name) == b"1"


def test_shards_appear_all_at_once_or_not_at_all(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data")
    (root / "zzz").symlink_to("nowhere")
    with pytest.raises(DataError, match="zzz"):
        pack(root, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(("files", "out"), [({}, "out"), ({"a": b""}, "data/out"), ({"a": b""}, "full")])
def test_packing_nothing_or_into_something_is_refused(
    tmp_path: Path, files: dict[str, bytes], out: str
) -> None:
    (tmp_path / "data").mkdir()
    write_folder(tmp_path / "full", {"x": b"x"})
    with pytest.raises(DataError) as error:
        pack(write_folder(tmp_path / "data", files), tmp_path / out)
    assert error.value.fix
    assert (tmp_path / "full/x").read_bytes() == b"x"
