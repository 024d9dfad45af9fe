import os
import time
from pathlib import Path

import pytest

from convoy.config.data import DataConfig
from convoy.data import stamps

DATA = DataConfig(source="image_folder", path="toy")


def test_known_stamps_come_back_and_samples_without_one_do_not(tmp_path: Path) -> None:
    path = stamps.table(tmp_path / "stamps", DATA)
    stamps.write(path, [("猫/1.png", "1-2-3-4", "a" * 32), ("b", None, "b" * 32)])
    assert stamps.read(path) == {"猫/1.png": ("1-2-3-4", "a" * 32)}


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_a_damaged_table_knows_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    assert stamps.read(tmp_path / "x.parquet") == {}


@pytest.mark.parametrize("length", [4, 100, 400])
def test_a_truncated_table_knows_nothing(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.parquet"
    stamps.write(path, [(f"{n}", "s", "i") for n in range(1000)])
    path.write_bytes(path.read_bytes()[:length])
    assert stamps.read(path) == {}


def test_a_table_of_other_columns_knows_nothing(tmp_path: Path) -> None:
    import pandas as pd

    pd.DataFrame({"path": ["a"]}).to_parquet(tmp_path / "x.parquet")
    assert stamps.read(tmp_path / "x.parquet") == {}


def test_settings_that_change_the_contents_have_tables_of_their_own() -> None:
    one = stamps.table(Path(), DATA)
    assert one != stamps.table(Path(), DATA.model_copy(update={"path": "other"}))
    assert one == stamps.table(Path(), DATA.model_copy(update={"classes": ["a"]}))


def test_a_file_that_changed_just_now_has_no_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"a")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    assert stamps.of_file(tmp_path / "a") is None
    monkeypatch.setattr(time, "time_ns", lambda: now + stamps.RACY + 1)
    assert stamps.of_file(tmp_path / "a") is not None
    os.utime(tmp_path / "a", ns=(now, now + 60_000_000_000))  # a clock that runs ahead
    assert stamps.of_file(tmp_path / "a") is None


def test_no_file_has_no_stamp(tmp_path: Path) -> None:
    assert stamps.of_file(tmp_path / "nothing") is None
    assert stamps.of_file("a\0b") is None
