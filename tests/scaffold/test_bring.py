from pathlib import Path

import pandas as pd
import pytest

from convoy.config.data import DataConfig
from convoy.data import opening
from convoy.errors import ConfigError
from convoy.scaffold import bring
from convoy.scaffold.columns import Wishes
from convoy.scaffold.recognise import recognise
from tests.scaffold.toys import ROWS, class_folders, pictures, table_of, write_csv


def brought(pointed: Path, target: Path) -> pd.DataFrame:
    """The samples that the project will see."""
    found = recognise(pointed, Wishes())
    bring.bring(bring.shipment(found, pointed), target)
    scan = opening.scan(DataConfig.model_validate({**found.options, "path": str(target)}))
    read = opening.reader(DataConfig.model_validate({**found.options, "path": str(target)}))
    samples = scan.samples
    if "problem" in samples:
        assert samples["problem"].isna().all()
    assert all(read(path) for path in samples["path"])
    return samples


def test_a_folder_is_copied_as_it_is_with_its_empty_classes(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "source")
    (folder / "empty").mkdir()
    (folder / ".hidden").write_text("x")
    target = tmp_path / "project" / "data" / "raw" / "x"
    assert len(brought(folder, target)) == sum(ROWS.values())
    names = {path.relative_to(target).as_posix() for path in target.rglob("*")}
    assert {"empty", "猫", "dog"} <= names
    assert ".hidden" not in names
    for path in pictures(folder):
        copy = target / path.relative_to(folder)
        assert copy.read_bytes() == path.read_bytes()
        assert copy.stat().st_ino != path.stat().st_ino  # never a link to the user's file


def test_a_table_takes_only_the_pictures_that_it_names(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pictures")
    (folder / "dog" / "private.png").write_bytes(b"not in the table")
    named = [path for path in pictures(folder) if path.name != "private.png"]
    rows = [[str(path.relative_to(tmp_path)), path.parent.name] for path in named]
    table = write_csv(tmp_path / "labels.csv", ["file", "label"], rows)
    target = tmp_path / "out"
    assert len(brought(table, target)) == len(named)
    assert (target / "labels.csv").read_bytes() == table.read_bytes()
    assert not list(target.rglob("private.png"))


@pytest.mark.parametrize("inside", [False, True])
def test_paths_that_lead_elsewhere_are_made_relative(inside: bool, tmp_path: Path) -> None:
    folder = class_folders(tmp_path / ("table" if inside else "far") / "shots")
    table = table_of(folder, tmp_path / "table" / "labels.csv")  # absolute paths
    target = tmp_path / "out"
    samples = brought(table, target)
    prefix = "shots" if inside else "pictures"
    assert sorted(samples["path"])[0] == f"{prefix}/dog/000.png"
    assert str(tmp_path) not in (target / "labels.csv").read_text(encoding="utf-8")
    assert samples["target"].value_counts().to_dict() == ROWS


def test_a_folder_with_a_table_of_far_pictures_gets_them_too(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "far")
    table_of(folder, tmp_path / "near" / "labels.csv")
    assert len(brought(tmp_path / "near", tmp_path / "out")) == sum(ROWS.values())


def test_missing_pictures_are_told(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pictures")
    table = table_of(folder, tmp_path / "labels.csv", base=tmp_path)
    pictures(folder)[0].unlink()
    what = bring.shipment(recognise(table, Wishes()), table)
    assert what.missing == ("pictures/dog/000.png",)


def test_very_many_files_become_shards_that_hold_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bring, "OFFERED", 5)
    folder = class_folders(tmp_path / "source")
    samples = brought(folder, tmp_path / "out")
    assert samples["target"].value_counts().to_dict() == ROWS
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".tar"}


def test_nothing_is_written_over_and_nothing_half_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = class_folders(tmp_path / "source")
    what = bring.shipment(recognise(folder, Wishes()), folder)
    (tmp_path / "there").mkdir()
    with pytest.raises(ConfigError, match="there is something already"):
        bring.bring(what, tmp_path / "there")

    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(bring, "copy", full)
    with pytest.raises(Exception, match="No space left"):
        bring.bring(what, tmp_path / "deep" / "out")
    assert list((tmp_path / "deep").iterdir()) == []
