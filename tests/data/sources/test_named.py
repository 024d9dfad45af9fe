import hashlib
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from convoy.config.data import DataConfig
from convoy.data.sources import named
from convoy.data.sources._sets import SETS
from convoy.errors import ConfigError, DataError
from tests.data.sources.toys_named import write_set


def data(dataset: str, **options: object) -> DataConfig:
    return DataConfig.model_validate({"source": "named", "path": "toy", "dataset": dataset, **options})


@pytest.mark.parametrize("dataset", SETS)
def test_every_set_is_read_upright_with_its_labels(tmp_path: Path, dataset: str) -> None:
    written = write_set(tmp_path, dataset)
    scan = named.scan(tmp_path, data(dataset))
    assert scan.classes == list(SETS[dataset].classes)
    assert bool(scan.notes) == (dataset == "SVHN")  # whose files are published as they lie
    assert scan.ignored == []
    read = named.reader(tmp_path, data(dataset))
    for split, pictures in written.items():
        rows = scan.samples[scan.samples["split"] == split]
        assert len(rows) == len(pictures)
        labels = [scan.classes[row % 12 % len(scan.classes)] for row in range(len(rows))]
        assert rows["target"].tolist() == labels
        for path, picture in zip(rows["path"], pictures, strict=True):
            np.testing.assert_array_equal(read(path), picture)


@pytest.mark.parametrize("dataset", SETS)
def test_the_table_is_complete(dataset: str) -> None:
    known = SETS[dataset]
    assert len(set(known.classes)) == len(known.classes)
    assert {part.split for part in known.parts} == {"train", "test"}
    wanted = {name for part in known.parts for name in (part.images, part.labels) if name}
    given = {
        name.removesuffix(".gz")
        for remote in known.remotes
        for name in (remote.members.values() if remote.members else [remote.name])
    }
    assert given == wanted
    for remote in known.remotes:
        assert len(bytes.fromhex(remote.md5)) == 16
    assert all(mirror.startswith("http") and mirror.endswith("/") for mirror in known.mirrors)


def test_sets_have_as_many_classes_as_their_papers_say() -> None:
    counts = {name: len(known.classes) for name, known in SETS.items()}
    assert counts["EMNIST-byclass"] == 62
    assert counts["EMNIST-bymerge"] == counts["EMNIST-balanced"] == 47
    assert counts["EMNIST-letters"] == 26
    assert counts["CIFAR100"] == 100
    assert set(counts.values()) == {10, 26, 47, 62, 100}


@pytest.mark.parametrize("folder", ["MNIST/raw", "raw", "."])
@pytest.mark.parametrize("packed", [False, True])
def test_files_are_found_where_torchvision_lays_them_and_in_the_folder_itself(
    tmp_path: Path, folder: str, packed: bool
) -> None:
    write_set(tmp_path / "made", "MNIST", packed=packed)
    (tmp_path / "data" / folder).parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(tmp_path / "made" / "MNIST" / "raw", tmp_path / "data" / folder)
    assert named.present(tmp_path / "data", data("MNIST"))
    scan = named.scan(tmp_path / "data", data("MNIST"))
    ending = ".gz" if packed else ""
    first = (Path(folder) / f"train-images-idx3-ubyte{ending}#0").as_posix()
    assert scan.samples["path"][0] == first
    assert scan.samples["split"].tolist() == ["train"] * 12 + ["test"] * 12


def test_classes_without_samples_are_classes_too(tmp_path: Path) -> None:
    write_set(tmp_path, "MNIST", count=3)
    assert named.scan(tmp_path, data("MNIST")).classes == list("0123456789")


def test_the_configuration_may_order_and_restrict_the_classes(tmp_path: Path) -> None:
    write_set(tmp_path, "CIFAR10", count=3)
    scan = named.scan(tmp_path, data("CIFAR10", classes=["bird", "airplane"]))
    assert scan.classes == ["bird", "airplane"]
    assert scan.samples["target"][:3].tolist() == ["airplane", None, "bird"]
    assert scan.samples["problem"][:2].tolist() == [None, "the label 'automobile' is none of data.classes"]


def test_what_belongs_to_other_sets_is_ignored_and_named(tmp_path: Path) -> None:
    write_set(tmp_path, "MNIST")
    write_set(tmp_path, "CIFAR10")
    (tmp_path / "MNIST" / "raw" / "notes.txt").write_text("hello", encoding="utf-8")
    scan = named.scan(tmp_path, data("MNIST"))
    assert scan.ignored == ["MNIST/raw/notes.txt", "cifar-10-batches-bin"]


def test_files_that_are_not_the_published_ones_are_noted(tmp_path: Path) -> None:
    write_set(tmp_path, "KMNIST", packed=True)
    (note,) = named.scan(tmp_path, data("KMNIST")).notes
    assert "not the published files of KMNIST" in note
    assert "train-images-idx3-ubyte.gz" in note


def test_an_unknown_name_is_a_configuration_error_with_the_likeliest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        named.scan(tmp_path, data("fashion_mnist"))
    assert "did you mean FashionMNIST?" in error.value.fix
    assert "EMNIST-letters" in error.value.fix


def test_missing_files_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="files of MNIST are missing: train-images") as error:
        named.scan(tmp_path, data("MNIST"))
    assert "convoy data get MNIST" in error.value.fix


def test_one_missing_file_is_named(tmp_path: Path) -> None:
    write_set(tmp_path, "MNIST")
    (tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte").unlink()
    assert not named.present(tmp_path, data("MNIST"))
    with pytest.raises(DataError, match=r"files of MNIST are missing: t10k-labels-idx1-ubyte\n"):
        named.scan(tmp_path, data("MNIST"))


class Bomb:
    """Unpickling it would be found out."""

    def __reduce__(self) -> tuple[object, ...]:
        return (pytest.fail, ("it was unpickled",))


@pytest.mark.parametrize("place", ["cifar-10-batches-py", "."])
def test_the_pickled_version_of_cifar_is_never_read(tmp_path: Path, place: str) -> None:
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "data_batch_1").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match="unpickling runs code") as error:
        named.scan(tmp_path, data("CIFAR10"))
    assert "cifar-10-binary.tar.gz" in error.value.fix


@pytest.mark.parametrize(
    ("dataset", "file"),
    [
        ("MNIST", "MNIST/raw/train-images-idx3-ubyte"),
        ("MNIST", "MNIST/raw/train-labels-idx1-ubyte"),
        ("QMNIST", "QMNIST/raw/qmnist-test-labels-idx2-int"),
        ("CIFAR10", "cifar-10-batches-bin/data_batch_3.bin"),
        ("STL10", "stl10_binary/train_X.bin"),
        ("STL10", "stl10_binary/test_y.bin"),
        ("SVHN", "train_32x32.mat"),
    ],
)
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_truncated_files_are_refused_by_name(tmp_path: Path, dataset: str, file: str, kept: float) -> None:
    write_set(tmp_path, dataset)
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError) as error:
        scan = named.scan(tmp_path, data(dataset))
        read = named.reader(tmp_path, data(dataset))
        for path in scan.samples["path"]:
            read(path)
    assert Path(file).name in str(error.value)
    assert error.value.fix


@pytest.mark.parametrize("dataset", ["MNIST", "CIFAR10", "STL10", "EMNIST-letters", "SVHN"])
def test_labels_that_are_none_of_the_set_are_refused(tmp_path: Path, dataset: str) -> None:
    known = SETS[dataset]
    wider = SETS["CIFAR100"].classes
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.data.sources.toys_named.SETS", {dataset: _with_classes(known, wider)})
        write_set(tmp_path, dataset, count=40)
    if dataset == "SVHN":  # its labels are taken modulo 10
        assert len(named.scan(tmp_path, data(dataset)).samples) == 80
        return
    with pytest.raises(DataError, match=f"none of the {len(known.classes)} classes"):
        named.scan(tmp_path, data(dataset))


def _with_classes(known: object, classes: object) -> object:
    from dataclasses import replace

    return replace(known, classes=classes)  # type: ignore[type-var]


@pytest.mark.parametrize(
    "locator",
    [
        "MNIST/raw/train-labels-idx1-ubyte#0",
        "MNIST/raw/../raw/train-images-idx3-ubyte#0",
        "MNIST//raw/train-images-idx3-ubyte#0",
    ],
)
def test_only_locators_of_pictures_are_read(tmp_path: Path, locator: str) -> None:
    write_set(tmp_path, "MNIST")
    with pytest.raises(DataError, match="no locator"):
        named.reader(tmp_path, data("MNIST"))(locator)


@pytest.mark.realdata
@pytest.mark.parametrize(("dataset", "folder"), [("FashionMNIST", "fashion_mnist"), ("MNIST", "mnist")])
def test_the_official_files_have_the_checksums_of_the_table(
    realdata: Path, dataset: str, folder: str
) -> None:
    for remote in SETS[dataset].remotes:
        content = (realdata / folder / remote.name).read_bytes()
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == remote.md5


@pytest.mark.realdata
@pytest.mark.parametrize(("dataset", "folder"), [("FashionMNIST", "fashion_mnist"), ("MNIST", "mnist")])
def test_the_official_files_are_read(realdata: Path, dataset: str, folder: str) -> None:
    scan = named.scan(realdata / folder, data(dataset))
    assert scan.samples["split"].value_counts().to_dict() == {"train": 60_000, "test": 10_000}
    assert scan.notes == []
    assert scan.samples["target"].value_counts()[scan.classes].min() > 5_000
    assert named.reader(realdata / folder, data(dataset))("t10k-images-idx3-ubyte.gz#9999").shape == (28, 28)


@pytest.mark.realdata
def test_the_files_of_another_set_are_noted(realdata: Path) -> None:
    assert "not the published files of KMNIST" in named.scan(realdata / "mnist", data("KMNIST")).notes[0]
