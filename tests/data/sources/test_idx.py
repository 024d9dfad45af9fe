import gzip
from pathlib import Path

import numpy as np
import pytest

from convoy.config.data import DataConfig
from convoy.data.sources import idx, mnist5k
from convoy.errors import DataError
from tests.data.pictures import idx_bytes, write_idx

DATA = DataConfig(source="idx", path="toy")
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"


@pytest.mark.parametrize("packed", [False, True])
def test_rows_come_in_numeric_order_with_their_labels(tmp_path: Path, packed: bool) -> None:
    images, labels = write_idx(tmp_path, 12, packed=packed)
    scan = idx.scan(tmp_path, DATA)
    ending = ".gz" if packed else ""
    assert scan.samples["path"].tolist() == [f"{IMAGES}{ending}#{row}" for row in range(12)]
    assert scan.samples["target"].tolist() == [str(label) for label in labels]
    assert scan.classes == ["0", "3", "7"]
    assert scan.samples["split"].isna().all()
    read = idx.reader(tmp_path, DATA)
    for row, path in enumerate(scan.samples["path"]):
        np.testing.assert_array_equal(read(path), images[row])


def test_prefixes_are_splits_and_files_come_by_name(tmp_path: Path) -> None:
    write_idx(tmp_path, 6, prefix="train-")
    write_idx(tmp_path, 3, prefix="t10k-", seed=1)
    write_idx(tmp_path, 3, prefix="valid-", seed=2)
    scan = idx.scan(tmp_path, DATA)
    assert scan.samples["split"].tolist() == ["test"] * 3 + ["train"] * 6 + ["val"] * 3


def test_numbers_of_two_digits_sort_as_numbers(tmp_path: Path) -> None:
    (tmp_path / IMAGES).write_bytes(idx_bytes(np.zeros((3, 2, 2), np.uint8)))
    (tmp_path / LABELS).write_bytes(idx_bytes(np.array([10, 9, 2], np.uint8)))
    assert idx.scan(tmp_path, DATA).classes == ["2", "9", "10"]


def test_a_raw_file_is_preferred_to_its_gzipped_twin(tmp_path: Path) -> None:
    write_idx(tmp_path, 12)
    write_idx(tmp_path, 12, packed=True)
    (tmp_path / "README").write_text("hello", encoding="utf-8")
    scan = idx.scan(tmp_path, DATA)
    assert len(scan.samples) == 12
    assert scan.ignored == ["README", f"{IMAGES}.gz", f"{LABELS}.gz"]


def test_names_with_a_dot_are_read_too(tmp_path: Path) -> None:
    write_idx(tmp_path, 12, prefix="train-")
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert len(idx.scan(tmp_path, DATA).samples) == 12


def test_other_dimensions_in_the_name_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "images-idx1-ubyte").write_bytes(b"")
    with pytest.raises(DataError, match="no MNIST-style"):
        idx.scan(tmp_path, DATA)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (IMAGES, b"", "truncated"),
        (IMAGES, b"\x00\x00\x08", "truncated"),
        (IMAGES, b"\x00\x00\x08\x01" + bytes(20), "0x00000801"),
        (IMAGES, b"\x00\x00\x0d\x03" + bytes(20), "0x00000d03"),
        (IMAGES, b"\x89PNG" + bytes(20), "0x89504e47"),
        (IMAGES, bytes([0, 0, 8, 3, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 4]), "without pixels"),
        (LABELS, b"\x00\x00\x08\x03" + bytes(20), "0x00000803"),
        (LABELS, bytes([0, 0, 8, 1, 0, 0, 0, 12]) + bytes(11), "truncated"),
        (LABELS, bytes([0, 0, 8, 1, 0, 0, 0, 12]) + bytes(13), "longer"),
        (LABELS, bytes([0, 0, 8, 1, 0, 0, 0, 11]) + bytes(11), "12 images and .* 11 labels"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_file_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes, message: str, packed: bool
) -> None:
    write_idx(tmp_path, 12, packed=packed)
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=message) as error:
        idx.scan(tmp_path, DATA)
    assert name in str(error.value)
    assert error.value.fix


@pytest.mark.parametrize("packed", [False, True])
def test_images_cut_short_are_refused_when_they_are_read(tmp_path: Path, packed: bool) -> None:
    write_idx(tmp_path, 12, packed=packed)
    path = next(tmp_path.glob("images*"))
    path.write_bytes(path.read_bytes()[:-20])
    locator = idx.scan(tmp_path, DATA).samples["path"][0]
    with pytest.raises(DataError, match=r"images.* truncated"):
        idx.reader(tmp_path, DATA)(locator)


@pytest.mark.parametrize("content", [b"", b"no gzip at all", gzip.compress(b"x" * 99, mtime=0)[:20]])
def test_a_damaged_gzip_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    write_idx(tmp_path, 12, packed=True)
    (tmp_path / f"{LABELS}.gz").write_bytes(content)
    with pytest.raises(DataError, match="labels"):
        idx.scan(tmp_path, DATA)


def test_a_flipped_byte_in_a_gzip_file_is_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, 12, packed=True)
    path = tmp_path / f"{IMAGES}.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="images"):
        idx.reader(tmp_path, DATA)(f"{IMAGES}.gz#0")


@pytest.mark.parametrize("removed", [IMAGES, LABELS])
def test_a_file_without_its_partner_is_refused(tmp_path: Path, removed: str) -> None:
    write_idx(tmp_path)
    (tmp_path / removed).unlink()
    with pytest.raises(DataError, match="beside it"):
        idx.scan(tmp_path, DATA)


def test_files_with_and_without_a_split_are_not_mixed(tmp_path: Path) -> None:
    write_idx(tmp_path, prefix="train-")
    write_idx(tmp_path)
    with pytest.raises(DataError, match="no split"):
        idx.scan(tmp_path, DATA)


def test_two_files_for_one_split_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, prefix="t10k-")
    write_idx(tmp_path, prefix="test-")
    with pytest.raises(DataError, match="same split"):
        idx.scan(tmp_path, DATA)


def test_files_without_samples_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, 0)
    with pytest.raises(DataError, match="no samples"):
        idx.scan(tmp_path, DATA)


def test_a_file_that_may_not_be_read_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(tmp_path)

    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"cannot read labels.*Permission denied"):
        idx.scan(tmp_path, DATA)


def test_a_file_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_idx(tmp_path, 12)
    read = idx.reader(tmp_path, DATA)
    first = read(f"{IMAGES}#0")
    (tmp_path / IMAGES).unlink()
    assert np.shares_memory(read(f"{IMAGES}#0"), first)


def test_missing_digits_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        mnist5k.scan(tmp_path / "mnist5k", DATA)
    assert "convoy data get mnist5k" in error.value.fix


@pytest.mark.realdata
def test_the_official_mnist_is_read(realdata: Path) -> None:
    scan = idx.scan(realdata / "mnist", DATA)
    assert scan.samples["split"].value_counts().to_dict() == {"train": 60_000, "test": 10_000}
    assert idx.reader(realdata / "mnist", DATA)("t10k-images-idx3-ubyte.gz#9999").shape == (28, 28)
