"""What every source must keep, the ones that are written tomorrow too.

Each has a module sources/toys_<name>.py with `write(root)`, which makes sound data in an empty folder, and
DATA, the section of params.yaml. `ARCHIVES = True` there: the data may lie in an archive as well.
"""

import importlib
import os
import pkgutil
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from convoy import plugins
from convoy.config.data import DataConfig
from convoy.data import pixels
from convoy.data.manifest import SPLITS
from convoy.data.modalities.sequence import signals
from convoy.data.pack import pack
from convoy.errors import DataError
from tests.data import sources
from tests.data.pictures import MAX_PIXELS

SOURCES = plugins.names("source")
TOYS: dict[str, Any] = {
    module.name.removeprefix("toys_"): importlib.import_module(f"{sources.__name__}.{module.name}")
    for module in pkgutil.iter_modules(sources.__path__)
    if module.name.startswith("toys_")
}
DATA: dict[str, DataConfig] = {name: toy.DATA for name, toy in TOYS.items()}
IN_ARCHIVES = [name for name, toy in TOYS.items() if getattr(toy, "ARCHIVES", False)]


def test_every_source_has_a_toy() -> None:
    assert sorted(TOYS) == SOURCES


@pytest.fixture(params=[name for name in SOURCES if name in TOYS])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(name: str, tmp_path: Path) -> Path:
    folder = tmp_path / "some data 数据"
    folder.mkdir()
    TOYS[name].write(folder)
    return folder


def test_a_scan_has_the_columns_and_values_of_the_contract(name: str, root: Path) -> None:
    scan = plugins.load("source", name).scan(root, DATA[name])
    assert list(scan.samples.columns)[:3] == ["path", "target", "split"]
    assert set(scan.samples.columns[3:]) <= {"group", "time", "keypoints", "origin", "problem"}
    assert list(scan.samples.index) == list(range(len(scan.samples)))
    assert scan.samples["path"].is_unique
    assert len(scan.classes) == len(set(scan.classes))
    labelled = scan.samples if "problem" not in scan.samples else scan.samples[scan.samples["problem"].isna()]
    assert scan.task in ("keypoints", "none") or set(labelled["target"]) <= set(scan.classes)
    assert len(scan.points) == len(set(scan.points))
    assert set(scan.samples["split"].dropna()) <= set(SPLITS)
    assert all(isinstance(ignored, str) for ignored in scan.ignored)


def test_two_scans_are_equal(name: str, root: Path) -> None:
    source = plugins.load("source", name)
    first, second = source.scan(root, DATA[name]), source.scan(root, DATA[name])
    pd.testing.assert_frame_equal(first.samples, second.samples)
    assert (first.classes, first.ignored, first.notes) == (second.classes, second.ignored, second.notes)


def test_locators_do_not_depend_on_where_the_folder_lies(
    name: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = plugins.load("source", name)
    absolute = source.scan(root, DATA[name]).samples
    monkeypatch.chdir(root.parent)
    pd.testing.assert_frame_equal(absolute, source.scan(Path(root.name), DATA[name]).samples)
    assert not any(path.startswith("/") or ".." in path for path in absolute["path"])


def decoded(name: str, content: Any) -> Any:
    """What a sample shows or says."""
    if DATA[name].modality in ("text", "table"):
        return content.decode("utf-8")
    if DATA[name].modality == "sequence":
        return signals.decode(content).values[:, :, None]
    return pixels.decode(content, 3, MAX_PIXELS)


def test_every_sample_can_be_read_and_decoded(name: str, root: Path) -> None:
    source = plugins.load("source", name)
    read = source.reader(root, DATA[name])
    for path in source.scan(root, DATA[name]).samples["path"]:
        found = decoded(name, read(path))
        assert isinstance(found, str) or found.ndim == 3


def test_reading_in_many_threads_gives_the_same(name: str, root: Path) -> None:
    source = plugins.load("source", name)
    paths = source.scan(root, DATA[name]).samples["path"].tolist() * 3
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(source.reader(root, DATA[name]), paths))
    for path, content in zip(paths, together, strict=True):
        alone = decoded(name, source.reader(root, DATA[name])(path))
        np.testing.assert_array_equal(decoded(name, content), alone)


@pytest.mark.parametrize(
    "locator", ["", "nothing", "../secret.png", "/etc/passwd", "../secret#0", "a#-1", "a#x"]
)
def test_locators_of_other_things_are_refused(name: str, root: Path, locator: str) -> None:
    (root.parent / "secret.png").write_bytes(b"secret")
    (root.parent / "secret").write_bytes(b"secret")
    with pytest.raises(DataError):
        plugins.load("source", name).reader(root, DATA[name])(locator)


def test_a_missing_folder_is_a_data_error_with_a_way_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist") as error:
        plugins.load("source", name).scan(tmp_path / "nowhere", DATA[name])
    assert error.value.where
    assert error.value.fix


def test_an_empty_folder_is_a_data_error_with_a_way_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        plugins.load("source", name).scan(tmp_path, DATA[name])
    assert error.value.where
    assert error.value.fix


def test_a_file_in_place_of_the_folder_is_a_data_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="no folder"):
        plugins.load("source", name).scan(tmp_path / "file", DATA[name])


def test_a_folder_that_may_not_be_read_is_a_data_error(
    name: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = plugins.load("source", name)

    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(DataError, match="Permission denied"):
        source.scan(root, DATA[name])


def _as_zip(root: Path, to: Path) -> Path:
    with zipfile.ZipFile(to / "data.zip", "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(root.parent))
    return to / "data.zip"


def _as_shards(root: Path, to: Path) -> Path:
    pack(root, to / "shards", max_files=2)
    return to / "shards"


@pytest.mark.parametrize("name", IN_ARCHIVES)
@pytest.mark.parametrize("packed", [_as_zip, _as_shards])
def test_an_archive_holds_what_its_folder_holds(
    name: str, root: Path, packed: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    source, data = plugins.load("source", name), DATA[name]
    archive = packed(root, tmp_path)
    inside, outside = source.scan(archive, data), source.scan(root, data)
    pd.testing.assert_frame_equal(inside.samples, outside.samples)
    assert (inside.classes, inside.ignored) == (outside.classes, outside.ignored)
    read, plain = source.reader(archive, data), source.reader(root, data)
    for path in inside.samples["path"]:
        np.testing.assert_array_equal(read(path), plain(path))
