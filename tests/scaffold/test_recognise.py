import json
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from convoy.data.pack import pack
from convoy.errors import ConfigError, DataError
from convoy.scaffold.columns import Wishes
from convoy.scaffold.recognise import recognise
from tests.data.test_sources_contract import TOYS
from tests.scaffold.toys import class_folders, pictures, table_of, write_csv

PICTURES = {name for name, toy in TOYS.items() if toy.DATA.modality == "image"}
ALSO_IDX = {"mnist5k"}  # the digits that convoy makes by itself are idx files like any others
FOLDERS = {"pictures"}  # folders are taken for classes, until somebody says that nothing is labelled


@pytest.mark.parametrize("name", sorted(PICTURES - ALSO_IDX - FOLDERS))
def test_the_toy_of_every_source_is_recognised(name: str, tmp_path: Path) -> None:
    data = TOYS[name].DATA
    TOYS[name].write(tmp_path)
    wishes = Wishes(group_col=data.group_col, split_col=data.split_col, time_col=data.time_col)
    found = recognise(tmp_path, wishes)
    wanted = {
        key: value
        for key, value in data.model_dump(exclude_none=True, exclude_defaults=True).items()
        if key not in ("path", "modality")
    }
    assert found.root == tmp_path
    assert found.options == {**wanted, **found.options}
    assert found.options["source"] == name


def archives(folder: Path, out: Path) -> dict[str, Path]:
    with zipfile.ZipFile(out / "data.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
    packed = Path(shutil.make_archive(str(out / "data"), "gztar", folder))
    pack(folder, out / "shards")
    return {"zip": out / "data.zip", "tar.gz": packed, "shards": out / "shards"}


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "shards"])
@pytest.mark.parametrize("content", ["folders", "table"])
def test_an_archive_is_taken_for_what_lies_in_it(
    kind: str, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = class_folders(tmp_path / "pictures")
    if content == "table":
        table_of(folder, folder / "labels.csv", base=folder)
    found = recognise(archives(folder, tmp_path)[kind], Wishes())
    assert found.options["source"] == {"folders": "image_folder", "table": "table"}[content]
    assert found.root == archives_path(tmp_path, kind)


def archives_path(out: Path, kind: str) -> Path:
    return out / {"zip": "data.zip", "tar.gz": "data.tar.gz", "shards": "shards"}[kind]


def test_a_folder_with_nothing_but_the_data_in_it_is_entered(tmp_path: Path) -> None:
    inner = class_folders(tmp_path / "download" / "PetImages" / "all")
    (tmp_path / "download" / "readme.txt").write_text("from the web")
    assert recognise(tmp_path / "download", Wishes()).root == inner


def test_given_splits_are_class_folders_too(tmp_path: Path) -> None:
    for side in ("train", "test"):
        class_folders(tmp_path / side)
    found = recognise(tmp_path, Wishes())
    assert found.options == {"source": "image_folder"}
    assert found.scan is not None
    assert set(found.scan.samples["split"]) == {"train", "test"}


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_a_table_is_recognised_by_the_pictures_that_it_names(ending: str, tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pictures")
    rows = [["7", str(path.relative_to(tmp_path)), path.parent.name] for path in pictures(folder)]
    table = tmp_path / f"labels.{ending}"
    if ending == "parquet":
        pd.DataFrame(rows, columns=["number", "file", "类别"]).to_parquet(table)
    else:
        write_csv(table, ["number", "file", "类别"], rows, "\t" if ending == "tsv" else ",")
    found = recognise(table, Wishes())
    assert found.root == tmp_path
    assert found.options == {"source": "table", "table": table.name, "image_col": "file", "target": "类别"}


def test_a_table_may_name_pictures_that_lie_elsewhere(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "far" / "pictures")
    for table in (
        table_of(folder, tmp_path / "near" / "absolute.csv"),
        write_csv(
            tmp_path / "near" / "relative.csv",
            ["file", "kind"],
            [
                [f"../far/pictures/{path.parent.name}/{path.name}", path.parent.name]
                for path in pictures(folder)
            ],
        ),
    ):
        assert recognise(table, Wishes()).options["image_col"] == "file"


def test_a_single_metadata_file_stands_for_its_folder(tmp_path: Path) -> None:
    class_folders(tmp_path)
    rows = [[str(path.relative_to(tmp_path)), path.parent.name] for path in pictures(tmp_path)]
    table = write_csv(tmp_path / "metadata.csv", ["file_name", "label"], rows)
    wanted = {"source": "hf_imagefolder", "target": "label"}
    assert recognise(table, Wishes()).options == wanted
    assert recognise(tmp_path, Wishes()).options == wanted


def test_a_csv_that_names_no_pictures_does_not_hide_the_class_folders(tmp_path: Path) -> None:
    class_folders(tmp_path)
    write_csv(tmp_path / "camera.csv", ["day", "temperature"], [["1", "20"], ["2", "21"]])
    assert recognise(tmp_path, Wishes()).options == {"source": "image_folder"}


def test_a_label_that_is_not_clear_has_to_be_named(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "pictures")
    rows = [
        [str(path), "a" if n % 2 else "b", "c" if n % 3 else "d"] for n, path in enumerate(pictures(folder))
    ]
    table = write_csv(tmp_path / "t.csv", ["file", "left", "right"], rows)
    with pytest.raises(ConfigError, match="'left', 'right'") as error:
        recognise(table, Wishes())
    assert "--target" in error.value.fix
    assert recognise(table, Wishes(target="right")).options["target"] == "right"
    with pytest.raises(ConfigError, match="no column 'rigth'") as error:
        recognise(table, Wishes(target="rigth"))
    assert "did you mean 'right'" in error.value.fix


def test_what_is_nothing_known_is_refused_with_what_was_tried(tmp_path: Path) -> None:
    class_folders(tmp_path)
    for path in pictures(tmp_path)[:2]:
        path.rename(tmp_path / f"loose {path.name}{path.parent.name}.png")
    with pytest.raises(DataError, match="class folders: pictures lie outside"):
        recognise(tmp_path, Wishes())
    for name, content in (("notes.txt", "text"), ("odd.json", json.dumps({"a": 1}))):
        (tmp_path / name).write_text(content)
        with pytest.raises(DataError, match=f"{name} is no table"):
            recognise(tmp_path / name, Wishes())
    with pytest.raises(DataError, match="there is nothing"):
        recognise(tmp_path / "nowhere", Wishes())


def test_several_named_sets_side_by_side_are_not_guessed_at(tmp_path: Path) -> None:
    from tests.data.sources.toys_named import write_set

    for name in ("MNIST", "KMNIST"):
        write_set(tmp_path, name)
    with pytest.raises(DataError, match="several data sets: MNIST, KMNIST"):
        recognise(tmp_path, Wishes())
    assert recognise(tmp_path / "KMNIST", Wishes()).options == {"source": "named", "dataset": "KMNIST"}
