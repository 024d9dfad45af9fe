"""What every source must keep, the ones that are written tomorrow too: give each a toy below."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from convoy import plugins
from convoy.data import pixels
from convoy.data.manifest import SPLITS
from convoy.errors import DataError
from tests.data.pictures import MAX_PIXELS, write_folder, write_idx

SOURCES = plugins.names("source")


def _idx(root: Path) -> None:
    write_idx(root, 12, prefix="train-", packed=True)
    write_idx(root, 6, prefix="t10k-", seed=1)


def _mnist5k(root: Path) -> None:
    write_idx(root)


def _image_folder(root: Path) -> None:
    write_folder(root, {"猫 cat": 4, "dog/deep er": 3, "leer": 0})
    (root / "dog" / "notes.txt").write_text("no picture", encoding="utf-8")


TOYS: dict[str, Callable[[Path], None]] = {"idx": _idx, "mnist5k": _mnist5k, "image_folder": _image_folder}


def test_every_source_has_a_toy() -> None:
    assert sorted(TOYS) == SOURCES


@pytest.fixture(params=SOURCES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(name: str, tmp_path: Path) -> Path:
    folder = tmp_path / "some data 数据"
    folder.mkdir()
    TOYS[name](folder)
    return folder


def test_a_scan_has_the_columns_and_values_of_the_contract(name: str, root: Path) -> None:
    scan = plugins.load("source", name).scan(root)
    assert list(scan.samples.columns) == ["path", "target", "split"]
    assert list(scan.samples.index) == list(range(len(scan.samples)))
    assert scan.samples["path"].is_unique
    assert len(scan.classes) == len(set(scan.classes))
    assert set(scan.samples["target"]) <= set(scan.classes)
    assert set(scan.samples["split"].dropna()) <= set(SPLITS)
    assert all(isinstance(ignored, str) for ignored in scan.ignored)


def test_two_scans_are_equal(name: str, root: Path) -> None:
    source = plugins.load("source", name)
    first, second = source.scan(root), source.scan(root)
    pd.testing.assert_frame_equal(first.samples, second.samples)
    assert (first.classes, first.ignored) == (second.classes, second.ignored)


def test_locators_do_not_depend_on_where_the_folder_lies(
    name: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = plugins.load("source", name)
    absolute = source.scan(root).samples
    monkeypatch.chdir(root.parent)
    pd.testing.assert_frame_equal(absolute, source.scan(Path(root.name)).samples)
    assert not any(path.startswith("/") or ".." in path for path in absolute["path"])


def test_every_sample_can_be_read_and_decoded(name: str, root: Path) -> None:
    source = plugins.load("source", name)
    read = source.reader(root)
    for path in source.scan(root).samples["path"]:
        assert pixels.decode(read(path), 3, MAX_PIXELS).ndim == 3


def test_reading_in_many_threads_gives_the_same(name: str, root: Path) -> None:
    source = plugins.load("source", name)
    paths = source.scan(root).samples["path"].tolist() * 3
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(source.reader(root), paths))
    for path, content in zip(paths, together, strict=True):
        np.testing.assert_array_equal(
            pixels.decode(content, 3, MAX_PIXELS), pixels.decode(source.reader(root)(path), 3, MAX_PIXELS)
        )


@pytest.mark.parametrize(
    "locator", ["", "nothing", "../secret.png", "/etc/passwd", "../secret#0", "a#-1", "a#x"]
)
def test_locators_of_other_things_are_refused(name: str, root: Path, locator: str) -> None:
    (root.parent / "secret.png").write_bytes(b"secret")
    (root.parent / "secret").write_bytes(b"secret")
    with pytest.raises(DataError):
        plugins.load("source", name).reader(root)(locator)


def test_a_missing_folder_is_a_data_error_with_a_way_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist") as error:
        plugins.load("source", name).scan(tmp_path / "nowhere")
    assert error.value.where
    assert error.value.fix


def test_an_empty_folder_is_a_data_error_with_a_way_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        plugins.load("source", name).scan(tmp_path)
    assert error.value.where
    assert error.value.fix


def test_a_file_in_place_of_the_folder_is_a_data_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="no folder"):
        plugins.load("source", name).scan(tmp_path / "file")


def test_a_folder_that_may_not_be_read_is_a_data_error(
    name: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = plugins.load("source", name)

    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(DataError, match="Permission denied"):
        source.scan(root)
