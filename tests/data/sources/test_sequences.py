"""Files of sequences: what is read, and what is refused with file and line."""

from pathlib import Path

import numpy as np
import pytest

from convoy.config.data import DataConfig
from convoy.data.sources import sequence_npz, sequence_ts
from convoy.data.sources._series import Ragged
from convoy.errors import DataError
from tests.data.sources import toys_sequence_npz, toys_sequence_ts

TS, NPZ = toys_sequence_ts.DATA, toys_sequence_npz.DATA


def ts(root: Path, content: str, name: str = "A_TRAIN.ts") -> Path:
    (root / name).write_text(content, encoding="utf-8")
    return root


def test_the_lines_of_a_ts_file_are_samples_of_the_given_split(tmp_path: Path) -> None:
    toys_sequence_ts.write(tmp_path)
    scan = sequence_ts.scan(tmp_path, TS)
    assert scan.classes == ["yes", "no"]
    assert scan.samples["split"].tolist() == ["train"] * 3 + ["test"]
    assert scan.samples["target"].tolist() == ["yes", "no", "yes", "no"]
    read = sequence_ts.reader(tmp_path, TS)
    np.testing.assert_array_equal(read("Toy_TRAIN.ts#7"), [[1, 4], [2, 5], [3, np.nan]])
    assert scan.ignored == ["notes.md"]


def test_a_tsv_file_begins_with_the_label_and_ends_in_nan_where_it_is_shorter(tmp_path: Path) -> None:
    ts(tmp_path, "1.0000000e+00\t1\t2\tNaN\n2\t3\tNaN\t5\n10\t3\t4\t5\n", "A_TRAIN.tsv")
    scan = sequence_ts.scan(tmp_path, TS)
    assert scan.classes == ["1", "2", "10"]
    read = sequence_ts.reader(tmp_path, TS)
    assert [len(read(path)) for path in scan.samples["path"]] == [2, 3, 3]


@pytest.mark.parametrize(
    ("content", "message", "where"),
    [
        ("1,2,3:a\n", "'1,2,3:a' is no line of a header", "A_TRAIN.ts:1"),
        ("@problemName A\n@data\n1:a\n", "the header names no classes", "A_TRAIN.ts"),
        ("@timeStamps true\n", "values with time stamps are not read", "A_TRAIN.ts:1"),
        ("@clasLabel true a\n", "'@clasLabel' is no line of a header", "A_TRAIN.ts:1"),
        ("@classLabel true a b\n@data\n", "the files hold no sample", ""),
    ],
)
def test_a_wrong_header_is_refused_with_its_line(
    tmp_path: Path, content: str, message: str, where: str
) -> None:
    with pytest.raises(DataError, match=message) as refused:
        sequence_ts.scan(ts(tmp_path, content), TS)
    assert where in refused.value.where


@pytest.mark.parametrize(
    ("line", "message", "kind"),
    [
        ("1,2:3:a", "A_TRAIN.ts:3: line 3: channel 2 has 1 values, channel 1 has 2", Ragged),
        ("1,2;5:3,4:a", "line 3: '2;5' is no number", DataError),
        ("1,2,3", "line 3 has no label behind a colon", DataError),
    ],
)
def test_a_damaged_line_is_a_damaged_sample(
    tmp_path: Path, line: str, message: str, kind: type[DataError]
) -> None:
    root = ts(tmp_path, f"@classLabel true a b\n@data\n{line}\n1,2:b\n")
    assert len(sequence_ts.scan(root, TS).samples) == 2
    with pytest.raises(kind, match=message) as refused:
        sequence_ts.reader(root, TS)("A_TRAIN.ts#3")
    assert refused.value.where == "A_TRAIN.ts:3"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["A_TRAIN.ts", "B_TEST.ts"], "several data sets: A, B"),
        (["A_TRAIN.ts", "A_train.tsv"], "the files exclude each other"),
        (["A.ts", "A_TEST.ts"], "the files exclude each other"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    for name in names:
        ts(tmp_path, "@classLabel true a b\n@data\n1,2:b\n", name)
    with pytest.raises(DataError, match=message):
        sequence_ts.scan(tmp_path, TS)


def npz(root: Path, **arrays: object) -> Path:
    np.savez(root / "a.npz", **arrays)  # type: ignore[arg-type]
    return root


def test_arrays_are_samples_channels_and_steps(tmp_path: Path) -> None:
    values = np.arange(24.0).reshape(2, 3, 4)
    root = npz(tmp_path, x=values, y=["a", "b"], lengths=[4, 2], split=["train", "test"])
    scan = sequence_npz.scan(root, NPZ)
    assert scan.samples["split"].tolist() == ["train", "test"]
    assert scan.ignored == []
    read = sequence_npz.reader(root, NPZ)
    np.testing.assert_array_equal(read("x#0"), values[0].T)
    np.testing.assert_array_equal(read("x#1"), values[1, :, :2].T)


def test_steps_of_nan_at_the_end_do_not_count(tmp_path: Path) -> None:
    root = npz(tmp_path, x_train=np.array([[1, 2, np.nan], [1, np.nan, 3]]), y_train=[0, 1])
    read = sequence_npz.reader(root, NPZ)
    assert [len(read(f"x_train#{row}")) for row in range(2)] == [2, 3]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.zeros((2, 3, 4, 5)), "y": [0, 1]}, "has the shape"),
        ({"x": np.array([["a"], ["b"]]), "y": [0, 1]}, "x is of <U1, not of numbers"),
        ({"x": np.zeros((2, 3)), "y": [0]}, "x holds 2 sequences and y 1 labels"),
        ({"x": np.zeros((2, 3)), "y": [0, 1], "split": ["train", "play"]}, "split holds 'play'"),
        ({"x": np.zeros((2, 3)), "y": [0, 1], "split": ["train"]}, "split holds 1 names for 2 sequences"),
        ({"images": np.zeros((2, 3))}, "images has no labels beside it"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        sequence_npz.scan(npz(tmp_path, **arrays), NPZ)


@pytest.mark.parametrize(
    ("lengths", "message"), [([4, 1], "lengths holds 1 to 4; x has 3"), ([1.5, 2], "not one")]
)
def test_lengths_that_do_not_fit_are_refused(tmp_path: Path, lengths: list[float], message: str) -> None:
    root = npz(tmp_path, x=np.zeros((2, 3)), y=[0, 1], lengths=lengths)
    with pytest.raises(DataError, match=message):
        sequence_npz.reader(root, NPZ)("x#0")


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "counts", "channels", "lengths"),
    [("GunPoint", (50, 150), 1, (150, 150)), ("JapaneseVowels", (270, 370), 12, (7, 29)),
     ("BasicMotions", (40, 40), 6, (100, 100))],
)  # fmt: skip
def test_the_archives_sets_are_read_whole(
    realdata: Path, name: str, counts: tuple[int, int], channels: int, lengths: tuple[int, int]
) -> None:
    data = DataConfig(modality="sequence", source="sequence_ts", path=name)
    root = realdata / "sequences" / name
    scan, read = sequence_ts.scan(root, data), sequence_ts.reader(root, data)
    assert tuple(scan.samples["split"].value_counts()[["train", "test"]]) == counts
    found = [np.asarray(read(path)) for path in scan.samples["path"]]
    assert {each.shape[1] for each in found} == {channels}
    assert (min(map(len, found)), max(map(len, found))) == lengths
