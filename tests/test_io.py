from pathlib import Path

import pytest

from convoy import io


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file.json"
    io.write_text(target, "old")
    with pytest.raises(RuntimeError), io.atomic_path(target) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]


def test_json_has_one_form_whatever_the_order_of_keys(tmp_path: Path) -> None:
    io.write_json(tmp_path / "a", {"b": 1, "a": "数字"})
    io.write_json(tmp_path / "b", {"a": "数字", "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert "数字" in (tmp_path / "a").read_text(encoding="utf-8")


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        io.write_json(tmp_path / "a", {"loss": float("nan")})


def test_the_digest_of_a_tree_changes_with_a_name_or_a_byte(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        io.write_text(tmp_path / name / "a.txt", "x")
    io.write_text(tmp_path / "two" / "a.txt", "y")
    (tmp_path / "three" / "a.txt").rename(tmp_path / "three" / "b.txt")
    digests = {io.sha256_tree(tmp_path / name) for name in ("one", "two", "three")}
    assert len(digests) == 3


def test_a_fresh_folder_has_lost_what_was_in_it(tmp_path: Path) -> None:
    io.write_text(tmp_path / "out" / "left.txt", "by a killed run")
    io.fresh_dir(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
