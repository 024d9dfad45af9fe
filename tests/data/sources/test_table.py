from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from convoy.config.data import DataConfig
from convoy.data import pixels
from convoy.data.sources import table
from convoy.data.sources._base import Scan
from convoy.errors import ConfigError, DataError
from tests.data.pictures import MAX_PIXELS, encoded, noise


def data(**more: Any) -> DataConfig:
    return DataConfig(
        source="table", path="toy", **{"table": "labels.csv", "image_col": "path", "target": "label", **more}
    )


def pictures(root: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(noise(seed)))


def scan(root: Path, *rows: str, head: str = "path,label", encoding: str = "utf-8", **more: Any) -> Scan:
    (root / "labels.csv").write_bytes("\n".join([head, *rows]).encode(encoding) + b"\n")
    return table.scan(root, data(**more))


def problems(found: Scan) -> list[str | None]:
    return found.samples["problem"].tolist()


def test_rows_are_samples_in_their_order_with_their_lines(tmp_path: Path) -> None:
    pictures(tmp_path, "b.png", "a.png")
    found = scan(tmp_path, "b.png,dog", "a.png,猫")
    assert list(found.samples.columns) == ["path", "target", "split", "origin"]
    assert found.samples["path"].tolist() == ["b.png", "a.png"]
    assert found.samples["target"].tolist() == ["dog", "猫"]
    assert found.samples["origin"].tolist() == ["labels.csv:2", "labels.csv:3"]
    assert found.classes == ["dog", "猫"]
    assert found.samples["split"].isna().all()


def test_groups_splits_and_times_come_where_their_columns_are_named(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png")
    found = scan(
        tmp_path,
        "a.png,x,p1,Train,2024-01-02",
        "b.png,y, p2 ,VALIDATION,2024/1/3 04:05",
        "c.png,y,,,1704430800",
        head="path,label,patient,side,taken",
        group_col="patient",
        split_col="side",
        time_col="taken",
    )
    assert found.samples["group"].tolist() == ["p1", "p2", None]
    assert found.samples["split"].tolist() == ["train", "val", None]
    assert found.samples["time"].tolist() == [
        "2024-01-02T00:00:00+00:00",
        "2024-01-03T04:05:00+00:00",
        "2024-01-05T05:00:00+00:00",
    ]
    assert "problem" not in found.samples


def test_a_table_in_gb18030_is_read_and_said_so(tmp_path: Path) -> None:
    pictures(tmp_path, "图片/一.png")
    found = scan(tmp_path, "图片/一.png,斑马", encoding="gb18030")
    assert found.samples["target"].tolist() == ["斑马"]
    assert "gb18030" in found.notes[0]


def test_a_wrong_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    (tmp_path / "labels.csv").write_bytes(b"path,label\na.png,x\na.png,\xff\xff\n")
    with pytest.raises(DataError) as error:
        table.scan(tmp_path, data())
    assert error.value.where == "labels.csv:3"


@pytest.mark.parametrize("label", ["", "  ", "nan", "NaN", "inf", "-inf", "+Infinity", "#N/A"])
def test_missing_and_non_finite_labels_are_problems_with_file_and_line(tmp_path: Path, label: str) -> None:
    pictures(tmp_path, "a.png", "b.png")
    found = scan(tmp_path, "a.png,x", f"b.png,{label}")
    assert found.samples["target"].tolist() == ["x", None]
    first, second = problems(found)
    assert first is None
    assert second is not None
    assert second.startswith("labels.csv:3: the label is")
    assert found.classes == ["x"]


def test_labels_stay_what_the_file_says_and_numbers_are_classes_by_value(tmp_path: Path) -> None:
    pictures(tmp_path, *"abcd")
    assert scan(tmp_path, "a,10", "b,9", "c,-1", "d,9").classes == ["-1", "9", "10"]
    assert scan(tmp_path, "a,10.0", "b,9", "c,007", "d,None").classes == ["007", "10.0", "9", "None"]


def test_labels_outside_of_the_given_classes_are_problems(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png")
    found = scan(tmp_path, "a.png,x", "b.png,y", "c.png,nan", classes=["z", "x", "nan"])
    assert found.classes == ["z", "x", "nan"]
    assert found.samples["target"].tolist() == ["x", None, "nan"]
    assert "'y'" in str(problems(found)[1])


def test_labels_that_differ_in_case_alone_are_told(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    assert "'Cat', 'cat'" in scan(tmp_path, "a.png,cat", "b.png,Cat").notes[0]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "the row names no picture"),
        ("gone.png", "there is no file 'gone.png'"),
        ("../secret.png", "lies outside of the data folder"),
        ("sub/../../secret.png", "lies outside of the data folder"),
        ("/etc/passwd", "lies outside of the data folder"),
        (r"..\secret.png", "lies outside of the data folder"),
        (r"C:\pictures\a.png", "lies outside of the data folder"),
        ("https://example.org/a.png", "is an address"),
        ("sub", "there is no file"),
        (".gone.png", "is hidden"),
        ("a\0.png", "there is no file"),
    ],
)
def test_paths_that_name_no_picture_are_problems_with_file_and_line(
    tmp_path: Path, path: str, said: str
) -> None:
    root = tmp_path / "data"
    pictures(root, "a.png", "sub/b.png", ".hidden.png")
    pictures(tmp_path, "secret.png")
    found = scan(root, "a.png,x", f"{path},x")
    first, second = problems(found)
    assert first is None
    assert second is not None
    assert second.startswith("labels.csv:3: ")
    assert said in second
    locator = found.samples["path"][1]
    assert locator
    assert not locator.startswith("/")
    assert ".." not in locator.split("/")
    with pytest.raises(DataError):
        table.reader(root, data())(locator)


@pytest.mark.parametrize("path", ["./sub/b.png", "sub//b.png", r"sub\b.png", "x/../sub/b.png", " sub/b.png "])
def test_paths_are_made_uniform(tmp_path: Path, path: str) -> None:
    pictures(tmp_path, "sub/b.png")
    assert scan(tmp_path, f"{path},x").samples["path"].tolist() == ["sub/b.png"]


def test_absolute_paths_below_the_root_are_made_relative(tmp_path: Path) -> None:
    root = tmp_path / "data"
    pictures(root, "sub/b.png")
    (tmp_path / "link").symlink_to(root)
    (root / "labels.csv").write_text(f"path,label\n{root}/sub/b.png,x\n{tmp_path}/link/sub/b.png,x\n")
    found = table.scan(tmp_path / "link", data())
    assert found.samples["path"].tolist() == ["sub/b.png", "sub/b.png#2"]
    assert "problem" not in found.samples


def test_paths_may_start_from_the_folder_of_the_table(tmp_path: Path) -> None:
    pictures(tmp_path, "set/a.png", "set/pictures/b.png", "a.png")
    (tmp_path / "set/labels.csv").write_text("path,label\npictures/b.png,x\na.png,y\n../a.png,z\n")
    found = table.scan(tmp_path, data(table="set/labels.csv"))
    assert found.samples["path"].tolist() == ["set/pictures/b.png", "a.png", "a.png#2"]


def test_names_in_another_unicode_form_are_found(tmp_path: Path) -> None:
    pictures(tmp_path, "cafe\u0301.png")
    assert scan(tmp_path, "caf\u00e9.png,x").samples["path"].tolist() == ["cafe\u0301.png"]


def test_a_picture_in_several_rows_is_kept_in_each(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    found = scan(tmp_path, "a.png,x", "b.png,x", "a.png,y", "a.png,x")
    assert found.samples["path"].tolist() == ["a.png", "b.png", "a.png#2", "a.png#3"]
    read = table.reader(tmp_path, data())
    assert read("a.png#2") == read("a.png") == (tmp_path / "a.png").read_bytes()


def test_a_file_that_is_called_like_a_row_that_comes_again_is_refused_in_doubt(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "a.png#2")
    assert table.reader(tmp_path, data())("a.png#2") == (tmp_path / "a.png#2").read_bytes()
    assert scan(tmp_path, "a.png,x", "a.png#2,x").samples["path"].tolist() == ["a.png", "a.png#2"]
    with pytest.raises(DataError, match=r"a\.png#2"):
        scan(tmp_path, "a.png,x", "a.png,x")


def test_bad_splits_and_times_are_problems(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png")
    found = scan(
        tmp_path,
        "a.png,x,train,2024-01-02T03:04:05.5",
        "b.png,x,holdout,yesterday",
        "c.png,,,",
        head="path,label,side,taken",
        split_col="side",
        time_col="taken",
    )
    assert found.samples["time"].tolist() == ["2024-01-02T03:04:05.500000", None, None]
    assert problems(found) == [
        None,
        "labels.csv:3: the split 'holdout' is none of train, val, test; the time 'yesterday' cannot be read",
        "labels.csv:4: the label is missing; the time is missing",
    ]


def test_times_with_and_without_a_zone_are_made_utc_and_said_so(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    rows = ["a.png,x,2024-01-02T08:00:00+08:00", "b.png,x,2024-01-02"]
    found = scan(tmp_path, *rows, head="path,label,taken", time_col="taken")
    assert found.samples["time"].tolist() == ["2024-01-02T00:00:00+00:00"] * 2
    assert "taken for UTC" in found.notes[0]


def test_pictures_that_no_row_names_are_ignored_by_name(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "sub/b.png", ".x.png")
    assert scan(tmp_path, "a.png,x").ignored == [".x.png", "sub/b.png"]


def test_a_table_of_which_no_picture_is_found_is_refused_with_a_hint(tmp_path: Path) -> None:
    pictures(tmp_path, "pictures/a.png")
    for path in ("a.png", "a"):
        with pytest.raises(DataError, match=r"'pictures/a\.png' is there") as error:
            scan(tmp_path, f"{path},x", "b.png,x")
        assert error.value.fix


def test_a_missing_table_is_refused_with_those_there_are(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "sub/b.png")
    (tmp_path / "labels.csv").write_text("path,label\na.png,x\n")
    with pytest.raises(DataError, match=r"no table 'label\.csv'; there are labels\.csv") as error:
        table.scan(tmp_path, data(table="label.csv"))
    assert "did you mean 'labels.csv'" in error.value.fix
    with pytest.raises(DataError, match=r"\.\./labels\.csv"):
        table.scan(tmp_path / "sub", data(table="../labels.csv"))


def test_a_table_of_an_unknown_kind_is_a_config_error(tmp_path: Path) -> None:
    pictures(tmp_path, "labels.xlsx")
    with pytest.raises(ConfigError):
        table.scan(tmp_path, data(table="labels.xlsx"))


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    with pytest.raises(DataError, match="no rows"):
        scan(tmp_path)


def test_one_row_is_enough(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    assert len(scan(tmp_path, "a.png,x").samples) == 1


def test_a_hundred_thousand_classes_are_read(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    found = scan(tmp_path, *(f"a.png,{number}" for number in range(100_000)))
    assert len(found.classes) == 100_000
    assert found.samples["path"].is_unique


def test_parquet_gives_the_same_samples_as_csv(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    plain = scan(tmp_path, "a.png,1", "b.png,2", "gone.png,")
    frame = pd.DataFrame(
        {"path": ["a.png", "b.png", "gone.png"], "label": pd.array([1, 2, None], dtype="Int64")}
    )
    frame.to_parquet(tmp_path / "labels.parquet")
    (tmp_path / "labels.csv").unlink()
    found = table.scan(tmp_path, data(table="labels.parquet"))
    columns = ["path", "target", "split"]
    pd.testing.assert_frame_equal(found.samples[columns], plain.samples[columns])
    assert found.samples["origin"].tolist()[1] == "labels.parquet:2"


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "data"
    pictures(root, "a.png")
    pictures(tmp_path, "secret.png")
    (root / "b.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match=r"lead out.*b\.png"):
        scan(root, "a.png,x")


@pytest.mark.realdata
def test_a_table_that_points_into_real_photos(tmp_path: Path, realdata: Path) -> None:
    root = realdata / "cats_dogs"
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpg"))
    (tmp_path / "cats_dogs").mkdir()
    for name in names[:3]:
        to = tmp_path / "cats_dogs" / name
        to.parent.mkdir(exist_ok=True)
        to.write_bytes((root / name).read_bytes())
    rows = [f"{name},{name.partition('/')[0]}" for name in names[:3]]
    found = scan(tmp_path / "cats_dogs", *rows)
    read = table.reader(tmp_path / "cats_dogs", data())
    assert all(pixels.decode(read(path), 3, 10 * MAX_PIXELS).size for path in found.samples["path"])
