import gc
from pathlib import Path

import pytest

from convoy.data.files import open_place
from convoy.data.sources import _json_file
from convoy.errors import DataError


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_is_read_with_or_without_a_mark(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / "a.json").write_bytes(mark + '{"猫": [1, 2.5]}'.encode())
    assert _json_file.load(open_place(tmp_path, "fix"), "a.json") == {"猫": [1, 2.5]}


@pytest.mark.parametrize("content", [b"[1]", b"[1"])
def test_the_collector_is_as_it_was_afterwards(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    for on in (True, False):
        if not on:
            gc.disable()
        try:
            _json_file.load(open_place(tmp_path, "fix"), "a.json")
        except DataError:
            assert content == b"[1"
        finally:
            was = gc.isenabled()
            gc.enable()
        assert was == on


@pytest.mark.parametrize("name", ["../a.json", "/etc/hostname", "b.json", ""])
def test_only_files_of_the_place_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.json").write_bytes(b"[]")
    (tmp_path / "place").mkdir()
    with pytest.raises(DataError, match="there is no file"):
        _json_file.load(open_place(tmp_path / "place", "fix"), name)
