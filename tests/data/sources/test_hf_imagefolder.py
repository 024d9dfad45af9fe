import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from convoy.config.data import DataConfig
from convoy.data.sources import hf_imagefolder
from convoy.data.sources._base import Scan
from convoy.errors import DataError
from tests.data.pictures import encoded, noise, write_folder


def pictures(root: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(noise(seed)))


def metadata(folder: Path, *rows: dict[str, Any], kind: str = "csv") -> None:
    frame = pd.DataFrame(list(rows))
    if kind == "csv":
        frame.to_csv(folder / "metadata.csv", index=False)
    elif kind == "parquet":
        frame.to_parquet(folder / "metadata.parquet")
    else:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")


def scan(root: Path, **more: Any) -> Scan:
    return hf_imagefolder.scan(root, DataConfig(source="hf_imagefolder", path="toy", **more))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_metadata_at_the_top_labels_the_pictures(tmp_path: Path, kind: str) -> None:
    pictures(tmp_path, "a.png", "sub/b.png", "c.png")
    metadata(
        tmp_path, {"file_name": "sub/b.png", "label": "狗"}, {"file_name": "a.png", "label": "cat"}, kind=kind
    )
    found = scan(tmp_path)
    assert found.samples["path"].tolist() == ["sub/b.png", "a.png"]
    assert found.samples["target"].tolist() == ["狗", "cat"]
    assert found.samples["split"].isna().all()
    assert found.ignored == ["c.png"]


def test_metadata_in_split_folders_gives_the_split(tmp_path: Path) -> None:
    pictures(tmp_path, "train/a.png", "data/Validation/a.png", "test/a.png", "a.png")
    for folder in ("train", "data/Validation", "test"):
        metadata(tmp_path / folder, {"file_name": "a.png", "label": 1.5})
    found = scan(tmp_path)
    assert dict(zip(found.samples["path"], found.samples["split"], strict=True)) == {
        "train/a.png": "train",
        "data/Validation/a.png": "val",
        "test/a.png": "test",
    }
    assert set(found.samples["origin"]) == {
        "train/metadata.csv:2",
        "data/Validation/metadata.csv:2",
        "test/metadata.csv:2",
    }
    assert found.classes == ["1.5"]


def test_one_metadata_file_above_split_folders_gives_their_splits(tmp_path: Path) -> None:
    pictures(tmp_path, "train/a.png", "test/a.png")
    rows = [{"file_name": f"{name}/a.png", "label": "x"} for name in ("train", "test")]
    metadata(tmp_path, *rows)
    assert scan(tmp_path).samples["split"].tolist() == ["train", "test"]
    pictures(tmp_path, "other/a.png")
    metadata(tmp_path, *rows, {"file_name": "other/a.png", "label": "x"})
    assert scan(tmp_path).samples["split"].isna().all()


def test_paths_start_from_the_metadata_file_alone(tmp_path: Path) -> None:
    pictures(tmp_path, "train/a.png", "b.png")
    metadata(tmp_path / "train", {"file_name": "a.png", "label": "x"}, {"file_name": "b.png", "label": "x"})
    found = scan(tmp_path)
    assert found.samples["path"].tolist() == ["train/a.png", "train/b.png"]
    assert "no file 'b.png'" in found.samples["problem"][1]


def test_other_columns_may_hold_label_group_and_split(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    metadata(
        tmp_path,
        {"file_name": "a.png", "kind": "x", "who": "p", "side": "train"},
        {"file_name": "b.png", "kind": "y", "who": "q", "side": "test"},
    )
    found = scan(tmp_path, target="kind", group_col="who", split_col="side")
    assert found.samples[["target", "group", "split"]].to_numpy().tolist() == [
        ["x", "p", "train"],
        ["y", "q", "test"],
    ]


def test_without_metadata_image_folder_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 1, "dog": 1})
    with pytest.raises(DataError, match="no metadata") as error:
        scan(tmp_path)
    assert "image_folder" in error.value.fix


def test_two_metadata_files_in_one_folder_are_refused(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    for kind in ("csv", "jsonl"):
        metadata(tmp_path, {"file_name": "a.png", "label": "x"}, kind=kind)
    with pytest.raises(DataError, match=r"metadata\.csv, metadata\.jsonl"):
        scan(tmp_path)


def test_a_missing_label_column_is_refused_with_those_there_are(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    metadata(tmp_path, {"file_name": "a.png", "labels": "x"})
    with pytest.raises(DataError, match="no column 'label'; it has 'file_name', 'labels'") as error:
        scan(tmp_path)
    assert "did you mean 'labels'" in error.value.fix


def test_a_path_out_of_the_root_is_a_problem(tmp_path: Path) -> None:
    root = tmp_path / "data"
    pictures(root, "train/a.png", "b.png")
    pictures(tmp_path, "secret.png")
    rows = ["a.png", "../b.png", "../../secret.png"]
    metadata(root / "train", *({"file_name": name, "label": "x"} for name in rows))
    found = scan(root)
    assert found.samples["path"].tolist()[:2] == ["train/a.png", "b.png"]
    assert "outside of the data folder" in found.samples["problem"][2]
