import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convoy.config.data import DataConfig
from convoy.data.sources import npz
from convoy.errors import DataError
from tests.data.sources import toys_npz

DATA = DataConfig(source="npz", path="toy")


def pictures(count: int = 6, *shape: int, dtype: str = "uint8") -> NDArray[Any]:
    top = np.iinfo(dtype).max
    return np.random.default_rng(count).integers(0, top, (count, *(shape or (5, 4))), dtype, endpoint=True)


def save(root: Path, compressed: bool = False, **arrays: Any) -> Path:
    path = root / "set.npz"
    (np.savez_compressed if compressed else np.savez)(path, **arrays)
    return path


def refusal(root: Path) -> str:
    with pytest.raises(DataError) as error:
        npz.scan(root, DATA)
    assert error.value.fix
    assert "set.npz" in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_come_in_numeric_order_with_their_labels(
    tmp_path: Path, compressed: bool, dtype: str, order: str
) -> None:
    images = np.asarray(pictures(12, 5, 4, 3, dtype=dtype.replace(">u2", "uint16")), dtype, order=order)  # type: ignore[call-overload]
    save(tmp_path, compressed, X=images, y=np.resize([7, -3, 10], 12))
    scan = npz.scan(tmp_path, DATA)
    assert scan.samples["path"].tolist() == [f"X#{row}" for row in range(12)]
    assert scan.samples["target"].tolist() == ["7", "-3", "10"] * 4
    assert scan.classes == ["-3", "7", "10"]
    assert scan.samples["split"].isna().all()
    read = npz.reader(tmp_path, DATA)
    for row, path in enumerate(scan.samples["path"]):
        np.testing.assert_array_equal(read(path), images[row])
        assert read(path).dtype.isnative


@pytest.mark.parametrize("names", ["x_{0} y_{0}", "X_{0} y_{0}", "{0}_images {0}_labels"])
def test_arrays_named_after_splits_are_given_splits(tmp_path: Path, names: str) -> None:
    arrays = {}
    for side, count in {"train": 5, "val": 3, "test": 2}.items():
        images, labels = names.format(side).split()
        arrays |= {images: pictures(count), labels: np.arange(count)}
    save(tmp_path, **arrays)
    scan = npz.scan(tmp_path, DATA)
    assert scan.samples["split"].tolist() == ["train"] * 5 + ["val"] * 3 + ["test"] * 2


def test_the_file_itself_may_be_the_data_path(tmp_path: Path) -> None:
    toys_npz.write(tmp_path)
    path = tmp_path / "digits.npz"
    assert npz.scan(path, DATA).samples.equals(npz.scan(tmp_path, DATA).samples)
    assert npz.reader(path, DATA)("x_test#0").shape == (6, 5, 3)
    assert npz.scan(tmp_path, DATA).ignored == ["README.md"]


def test_arrays_of_other_names_are_ignored_and_named(tmp_path: Path) -> None:
    save(tmp_path, images=pictures(2), labels=[0, 1], weights=np.zeros(3))
    assert npz.scan(tmp_path, DATA).ignored == ["set.npz:weights"]


@pytest.mark.parametrize(
    "labels",
    [["dog", "猫", "dog"], np.array(["dog", "猫", "dog"], "U"), np.array([b"dog", "猫".encode(), b"dog"])],
)
def test_labels_may_be_strings(tmp_path: Path, labels: Any) -> None:
    save(tmp_path, images=pictures(3), labels=labels)
    scan = npz.scan(tmp_path, DATA)
    assert scan.samples["target"].tolist() == ["dog", "猫", "dog"]
    assert scan.classes == ["dog", "猫"]


def test_an_empty_label_is_the_problem_of_its_row(tmp_path: Path) -> None:
    save(tmp_path, images=pictures(3), labels=["dog", "", "cat"])
    scan = npz.scan(tmp_path, DATA)
    assert scan.samples["target"].tolist() == ["dog", None, "cat"]
    assert scan.samples["problem"].tolist() == [None, "the label is empty", None]
    assert scan.classes == ["cat", "dog"]


def test_labels_that_the_configuration_does_not_name_are_problems(tmp_path: Path) -> None:
    save(tmp_path, images=pictures(3), labels=[2, 0, 1])
    scan = npz.scan(tmp_path, DATA.model_copy(update={"classes": ["1", "0"]}))
    assert scan.classes == ["1", "0"]
    assert scan.samples["target"].tolist() == [None, "0", "1"]
    assert scan.samples["problem"].tolist() == ["the label '2' is none of data.classes", None, None]


def test_uncompressed_pictures_are_mapped_not_read(tmp_path: Path) -> None:
    save(tmp_path, images=pictures(3), labels=[0, 1, 2])
    read = npz.reader(tmp_path, DATA)
    row: Any = read("images#0")
    while isinstance(row, np.ndarray) and not isinstance(row, np.memmap):
        row = row.base
    assert isinstance(row, np.memmap)
    assert not read("images#0").flags.writeable


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": pictures(), "y_train": np.arange(5)}, "x_train holds 6 pictures and y_train 5 labels"),
        ({"x_train": pictures()}, "x_train has no y_train beside it"),
        ({"y_test": np.arange(6)}, "y_test has no x_test beside it"),
        ({"a": pictures(), "b": np.arange(6)}, "it holds a, b"),
        ({}, "it holds none"),
        (
            {"X": pictures(), "y": np.arange(6), "x_train": pictures(), "y_train": np.arange(6)},
            "exclude each",
        ),
        (
            {"x_val": pictures(), "y_val": np.arange(6), "x_valid": pictures(), "y_valid": np.arange(6)},
            "exclude each",
        ),
        ({"X": pictures().astype("float32"), "y": np.arange(6)}, "X is of float32: whether"),
        ({"X": pictures().astype("int64"), "y": np.arange(6)}, "X is of int64, not of uint8"),
        ({"X": pictures(6, 20), "y": np.arange(6)}, "(6, 20), not (N, H, W)"),
        ({"X": pictures(6, 8, 8, 5), "y": np.arange(6)}, "(6, 8, 8, 5), not (N, H, W)"),
        ({"X": pictures(6, 3, 8, 8), "y": np.arange(6)}, "channels before the rows"),
        ({"X": pictures(6, 0, 8), "y": np.arange(6)}, "(6, 0, 8), not"),
        ({"X": pictures(), "y": np.eye(6, dtype=int)}, "argmax"),
        ({"X": pictures(), "y": np.arange(6.0)}, "y is of float64, not of whole numbers"),
        ({"X": pictures(6), "y": np.array(list("abcdef"), object)}, "would have to be unpickled"),
        ({"X": np.array([None] * 6), "y": np.arange(6)}, "would have to be unpickled"),
        ({"X": pictures(1), "y": np.array([b"\xff"])}, "not UTF-8"),
        ({"X": pictures()[:0], "y": np.arange(0)}, "no samples"),
        (
            {"x_train": pictures(1), "y_train": [1], "x_test": pictures(1), "y_test": ["1"]},
            "numbers in some arrays and strings in others",
        ),
    ],
)
def test_arrays_that_are_no_labelled_pictures_are_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    save(tmp_path, **arrays)
    assert message in refusal(tmp_path)


def test_several_files_in_the_folder_are_refused(tmp_path: Path) -> None:
    toys_npz.write(tmp_path)
    save(tmp_path, X=pictures(), y=np.arange(6))
    with pytest.raises(DataError, match=r"several .npz files: digits\.npz, set\.npz"):
        npz.scan(tmp_path, DATA)


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, kept: float) -> None:
    path = save(tmp_path, X=pictures(60), y=np.arange(60))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    assert "truncated" in refusal(tmp_path)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_flipped_bit_in_the_pictures_is_found_when_they_are_read(tmp_path: Path, compressed: bool) -> None:
    path = save(tmp_path, compressed, X=pictures(60, 20, 20), y=np.arange(60))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    npz.scan(tmp_path, DATA)
    with pytest.raises(DataError, match=r"set\.npz: X is .*damaged"):
        npz.reader(tmp_path, DATA)("X#0")


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"no array",
        _npy(pictures())[:-7],
        _npy(pictures()) + b"more",
        _npy(pictures()).replace(b"(6, 5, 4)", b"(6, 5, 9)"),
        _npy(pictures()).replace(b"(6, 5, 4)", b"(_, 5, 4)"),
        _npy(pictures()).replace(b"|u1", b"|z1"),
    ],
)
def test_a_damaged_array_in_a_sound_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("X.npy", content)
        archive.writestr("y.npy", _npy(np.arange(6)))
    assert "set.npz: X is " in refusal(tmp_path)


def test_a_header_that_claims_more_than_the_file_holds_takes_no_memory(tmp_path: Path) -> None:
    content = _npy(pictures()).replace(b"(6, 5, 4), }    ", b"(60000, 60000, 4), }", 1)
    with zipfile.ZipFile(tmp_path / "set.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", content)
        archive.writestr("y.npy", _npy(np.arange(6)))
    assert "another size" in refusal(tmp_path)


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, X=pictures(), y=np.arange(6))
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = 0
        while (start := content.find(mark, start)) >= 0:
            content[start + at] |= 1
            start += 4
    path.write_bytes(bytes(content))
    assert "encrypted" in refusal(tmp_path)
