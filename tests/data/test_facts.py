from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from convoy.config.data import DataConfig
from convoy.data import facts, manifest, opening, workers
from convoy.data.facts import Facts
from convoy.layout import STATE
from tests.data.checks.tables import config
from tests.data.pictures import bomb, encoded, gradient, noise, write_folder, write_idx


def look(base: Path, source: str = "image_folder", **how: Any) -> tuple[pd.DataFrame, Facts]:
    data = DataConfig(source=source, path="data")  # type: ignore[arg-type]
    samples = opening.scan(data, base).samples
    read = opening.reader(data, base)
    samples["id"] = [manifest.content_id(read(path)) for path in samples["path"]]
    return samples, facts.of(samples, data, config(**how), base)


def test_facts_of_files_are_those_of_the_pictures(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 2})
    (tmp_path / "data/cat/g.jpg").write_bytes(encoded(gradient(40, 60)[:, :, 0], "JPEG"))
    samples, found = look(tmp_path)
    table = found.table.set_index(samples["path"])
    assert table.loc["cat/000.png", ["width", "height", "mode", "format"]].tolist() == [16, 12, "RGB", "PNG"]
    assert table.loc["cat/g.jpg", ["width", "height", "mode", "format"]].tolist() == [60, 40, "L", "JPEG"]
    assert table["bytes"].tolist() == [(tmp_path / "data" / path).stat().st_size for path in samples["path"]]
    grey = gradient(40, 60)[:, :, 0]
    assert table.loc["cat/g.jpg", "mean"] == pytest.approx(grey.mean(), abs=1)
    assert table.loc["cat/g.jpg", "std"] == pytest.approx(grey.std(), abs=1)
    assert table["reason"].isna().all()


def test_thumbnails_are_reduced_to_the_square_by_area(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 1})
    picture = noise(7, 320, 160)
    (tmp_path / "data/cat/wide.png").write_bytes(encoded(picture))
    samples, found = look(tmp_path)
    row = samples.index[samples["path"] == "cat/wide.png"]
    expected = picture.reshape(32, 10, 32, 5, 3).mean(axis=(1, 3))
    assert np.abs(found.thumbnails(row)[0] - expected).max() <= 1
    assert found.thumbs.shape == (2, 32, 32, 3)


def test_rows_of_packed_sources_are_looked_at_without_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, _ = write_idx(tmp_path / "data", 12)
    monkeypatch.setattr(workers, "run", lambda *_, **__: pytest.fail("started a process"))
    _, found = look(tmp_path, "idx")
    assert set(found.table["format"]) == {"array"}
    assert found.table["bytes"].tolist() == [20] * 12
    assert found.table["mean"].to_numpy() == pytest.approx(images.mean(axis=(1, 2)), abs=0.001)


def damaged(root: Path) -> dict[str, str]:
    whole = encoded(gradient(60, 60), "JPEG")
    contents = {
        "empty.png": b"",
        "cut.jpg": whole[: len(whole) // 2],
        "cut.png": encoded(noise(1))[:-40],
        "text.png": b"this is text\n",
        "huge.png": bomb(),
    }
    for name, content in contents.items():
        (root / name).write_bytes(content)
    return {
        "empty.png": "empty",
        "cut.jpg": "truncated",
        "cut.png": "truncated",
        "text.png": "undecodable",
        "huge.png": "oversized",
    }


def test_what_does_not_open_has_a_reason_and_black_for_a_picture(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_folder(tmp_path / "data", {"cat": 2})
    expected = damaged(tmp_path / "data/cat")
    samples, found = look(tmp_path)
    names = samples["path"].str.removeprefix("cat/")
    bad = found.table["reason"].notna()
    assert dict(zip(names[bad], found.table["reason"][bad], strict=True)) == expected
    assert found.table["detail"][bad].str.len().min() > 5
    assert not found.thumbnails(samples.index[bad]).any()
    assert found.table["width"][bad].eq(0).all()
    assert capfd.readouterr().err == ""


def test_a_sample_that_ingest_could_not_read_is_missing(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 2})
    samples, _ = look(tmp_path)
    samples["problem"] = [None, "no such file"]
    samples.loc[1, "id"] = facts.unread_id(samples["path"][1])
    found = facts.of(samples, DataConfig(source="image_folder", path="data"), config(), tmp_path)
    assert found.table.loc[1, ["reason", "detail"]].tolist() == ["missing", "no such file"]
    assert found.opened == 0


def test_a_picture_is_opened_once_whatever_it_is_called(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 3})
    damaged(tmp_path / "data/cat")
    (tmp_path / "data/cat/copy.png").write_bytes((tmp_path / "data/cat/000.png").read_bytes())
    _, first = look(tmp_path)
    assert (first.opened, first.known) == (8, 0)
    (tmp_path / "data/cat/001.png").rename(tmp_path / "data/cat/renamed.png")
    write_folder(tmp_path / "data", {"dog": 2})
    _, second = look(tmp_path)
    assert (second.opened, second.known) == (2, 8)


def test_with_and_without_what_is_known_the_facts_are_the_same(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 5, "dog": 4})
    damaged(tmp_path / "data/dog")
    _, fresh = look(tmp_path)
    _, known = look(tmp_path)
    assert known.opened == 0
    pd.testing.assert_frame_equal(fresh.table, known.table)
    np.testing.assert_array_equal(fresh.thumbs, known.thumbs)


@pytest.mark.parametrize("ending", [".npy", ".parquet"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_part_is_as_if_it_were_not_there(tmp_path: Path, ending: str, damage: str) -> None:
    write_folder(tmp_path / "data", {"cat": 3})
    _, fresh = look(tmp_path)
    (file,) = (tmp_path / STATE).rglob(f"facts/**/*{ending}")
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        file.unlink()
    _, again = look(tmp_path)
    assert again.opened == 3
    pd.testing.assert_frame_equal(fresh.table, again.table)


def test_many_small_parts_become_one_and_nothing_is_forgotten(tmp_path: Path) -> None:
    for number in range(12):
        write_folder(tmp_path / "data", {f"class {number}": 1})
        _, found = look(tmp_path)
        assert found.opened == 1
    _, found = look(tmp_path)
    assert (found.opened, found.known) == (0, 12)
    assert len(list((tmp_path / STATE).rglob("facts/**/*.npy"))) <= 8
    assert len({picture.tobytes() for picture in found.thumbs}) == 12


def test_another_bound_on_the_pixels_looks_again(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 2})
    look(tmp_path)
    _, found = look(tmp_path, max_pixels=100)
    assert found.opened == 2
    assert set(found.table["reason"]) == {"oversized"}


def test_a_picture_that_takes_too_long_is_not_kept_as_bad(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 1})
    (tmp_path / "data/cat/large.png").write_bytes(encoded(np.zeros((3000, 3000, 3), np.uint8)))
    samples, found = look(tmp_path, max_pixels=10_000_000, max_seconds=0.02)
    row = samples.index[samples["path"] == "cat/large.png"][0]
    assert found.table["reason"][row] == "slow"
    assert "0.02 seconds" in found.table["detail"][row]
    _, later = look(tmp_path, max_pixels=10_000_000)
    assert later.opened == 1
    assert later.table["reason"].isna().all()
