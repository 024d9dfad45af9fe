from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from convoy.data import manifest
from convoy.errors import IntegrityError


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": ["a" * 32, "b" * 32, "c" * 32],
            "path": ["猫/a b.png", "狗/b.png", "狗/c.png"],
            "target": ["猫", "狗", "狗"],
            "split": [None, "train", None],
            "width": [3, 4, 5],
        }
    )


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    manifest.write(tmp_path, table())
    read = manifest.read(tmp_path)
    assert list(read.columns) == ["id", "path", "target", "split", "width"]
    assert read["split"].tolist() == [None, "train", None]
    assert read["path"].tolist() == table()["path"].tolist()


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        manifest.write(tmp_path / name, table())
    assert (tmp_path / "one/samples.parquet").read_bytes() == (tmp_path / "two/samples.parquet").read_bytes()


def test_a_missing_table_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="No such file") as error:
        manifest.read(tmp_path)
    assert "samples.parquet" in error.value.where


@pytest.mark.parametrize("length", [0, 3, 200])
def test_a_truncated_table_is_an_integrity_error(tmp_path: Path, length: int) -> None:
    manifest.write(tmp_path, table())
    path = tmp_path / manifest.FILE
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(IntegrityError):
        manifest.read(tmp_path)


def test_a_table_without_a_needed_column_is_an_integrity_error(tmp_path: Path) -> None:
    manifest.write(tmp_path, table().drop(columns="target"))
    with pytest.raises(IntegrityError, match="target"):
        manifest.read(tmp_path)


def test_missing_or_damaged_facts_are_integrity_errors(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        manifest.read_facts(tmp_path / "source.json")
    (tmp_path / "source.json").write_text("{", encoding="utf-8")
    with pytest.raises(IntegrityError, match="damaged"):
        manifest.read_facts(tmp_path / "source.json")


def test_the_id_of_a_file_is_half_the_sha256_of_its_bytes() -> None:
    assert manifest.content_id(b"") == "e3b0c44298fc1c149afbf4c8996fb924"


def test_the_id_of_pixels_depends_on_their_shape_and_not_on_their_memory() -> None:
    flat = np.arange(12, dtype=np.uint8)
    assert manifest.content_id(flat.reshape(3, 4)) == manifest.content_id(b"3x4:" + flat.tobytes())
    assert manifest.content_id(flat.reshape(3, 4)) != manifest.content_id(flat.reshape(4, 3))
    turned = np.asfortranarray(flat.reshape(3, 4))
    assert manifest.content_id(turned) == manifest.content_id(flat.reshape(3, 4))


def test_the_digest_depends_on_rows_and_their_order_alone() -> None:
    rows = table()
    assert manifest.digest(rows) == manifest.digest(rows.drop(columns="width"))
    assert manifest.digest(rows) != manifest.digest(rows.iloc[::-1])
    assert manifest.digest(rows) != manifest.digest(rows.assign(target="狗"))


def test_the_digest_survives_writing_and_reading(tmp_path: Path) -> None:
    manifest.write(tmp_path, table())
    assert manifest.digest(manifest.read(tmp_path)) == manifest.digest(table())


def test_classes_are_counted_in_their_order_with_empty_ones() -> None:
    counted = manifest.counts(table(), ["狗", "鸟", "猫"])
    assert list(counted.items()) == [("狗", 2), ("鸟", 0), ("猫", 1)]
