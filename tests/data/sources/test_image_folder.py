import os
import shutil
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from convoy.config.data import DataConfig
from convoy.data.files import folder
from convoy.data.sources import image_folder
from convoy.data.sources.image_folder import scan
from convoy.errors import DataError
from tests.data.pictures import encoded, gradient, write_folder

DATA = DataConfig(source="image_folder", path="toy")


def test_class_folders_are_classes_and_pictures_come_by_path(tmp_path: Path) -> None:
    write_folder(tmp_path, {"dog": 2, "cat": 1, "cat/kitten": 1})
    found = scan(tmp_path, DATA)
    assert found.samples["path"].tolist() == [
        "cat/000.png",
        "cat/kitten/000.png",
        "dog/000.png",
        "dog/001.png",
    ]
    assert found.samples["target"].tolist() == ["cat", "cat", "dog", "dog"]
    assert found.classes == ["cat", "dog"]
    assert found.samples["split"].isna().all()


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["train", "val", "test"], {"train", "val", "test"}),
        (["Train", "VALID", "Test"], {"train", "val", "test"}),
        (["train", "validation"], {"train", "val"}),
        (["train", "test"], {"train", "test"}),
        (["train"], {"train"}),
    ],
)
def test_split_folders_are_splits(tmp_path: Path, names: list[str], splits: set[str]) -> None:
    write_folder(tmp_path, {f"{name}/{kind}": 2 for name in names for kind in ("cat", "dog")})
    found = scan(tmp_path, DATA)
    assert set(found.samples["split"]) == splits
    assert found.classes == ["cat", "dog"]
    assert len(found.samples) == 4 * len(names)


def test_an_empty_split_folder_is_no_class(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/cat": 2, "train/dog": 2, "val": 0})
    assert scan(tmp_path, DATA).classes == ["cat", "dog"]


def test_empty_classes_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 1, "dog": 0})
    (tmp_path / "dog" / "notes.txt").write_text("", encoding="utf-8")
    assert scan(tmp_path, DATA).classes == ["cat", "dog"]


def test_paths_with_spaces_and_chinese_are_read(tmp_path: Path) -> None:
    root = tmp_path / "我的 数据"
    write_folder(root, {"大 猫": 1, "小狗 🐶": 1})
    (root / "大 猫" / "000.png").rename(root / "大 猫" / "图 片 (1).PNG")
    found = scan(root, DATA)
    assert found.samples["path"].tolist() == ["大 猫/图 片 (1).PNG", "小狗 🐶/000.png"]
    read = image_folder.reader(root, DATA)
    assert read("大 猫/图 片 (1).PNG").startswith(b"\x89PNG")


def test_class_names_are_brought_to_one_unicode_form(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "café")
    write_folder(tmp_path, {decomposed: 1, "thé": 1})
    found = scan(tmp_path, DATA)
    assert found.classes == ["café", "thé"]
    assert image_folder.reader(tmp_path, DATA)(found.samples["path"][0])


@pytest.mark.parametrize(
    ("one", "other"),
    [("cat", "Cat"), ("cat", "cat "), ("café", unicodedata.normalize("NFD", "café")), ("Straße", "STRASSE")],
)
def test_two_folders_for_one_class_are_refused_by_name(tmp_path: Path, one: str, other: str) -> None:
    write_folder(tmp_path, {one: 1, other: 1, "dog": 1})
    with pytest.raises(DataError, match="one class in two ways") as error:
        scan(tmp_path, DATA)
    assert repr(one) in error.value.what
    assert repr(other) in error.value.what


def test_one_class_spelt_differently_in_two_splits_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/cat": 1, "train/dog": 1, "test/Cat": 1, "test/dog": 1})
    with pytest.raises(DataError, match="one class in two ways"):
        scan(tmp_path, DATA)


def test_one_class_in_two_unicode_forms_in_two_splits_is_one_class(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "café")
    write_folder(tmp_path, {"train/café": 1, "train/dog": 1, f"test/{decomposed}": 1, "test/dog": 1})
    assert scan(tmp_path, DATA).classes == ["café", "dog"]


def test_other_and_hidden_files_are_ignored_by_name(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 1, "dog": 1, ".git": 1, "__MACOSX": 1, "cat/.thumbs": 1})
    for name in ("README.md", "cat/Thumbs.db", "cat/.DS_Store", "cat/._000.png", "dog/data.csv"):
        (tmp_path / name).write_bytes(b"")
    found = scan(tmp_path, DATA)
    assert found.ignored == [
        ".git",
        "README.md",
        "__MACOSX",
        "cat/.DS_Store",
        "cat/._000.png",
        "cat/.thumbs",
        "cat/Thumbs.db",
        "dog/data.csv",
    ]
    assert len(found.samples) == 2


def test_a_pipe_called_like_a_picture_is_not_opened(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 1, "dog": 1})
    os.mkfifo(tmp_path / "cat" / "pipe.jpg")
    assert scan(tmp_path, DATA).ignored == ["cat/pipe.jpg"]


@pytest.mark.parametrize("target", ["file", "folder", "class", "relative"])
def test_links_out_of_the_root_are_refused_by_name(tmp_path: Path, target: str) -> None:
    root = write_folder(tmp_path / "data", {"cat": 1, "dog": 1})
    outside = write_folder(tmp_path / "outside", {"secret": 1})
    link, to = {
        "file": (root / "cat/link.png", outside / "secret/000.png"),
        "folder": (root / "cat/more", outside / "secret"),
        "class": (root / "fish", outside / "secret"),
        "relative": (root / "cat/link.png", Path("../../outside/secret/000.png")),
    }[target]
    link.symlink_to(to)
    with pytest.raises(DataError, match="out of the data folder") as error:
        scan(root, DATA)
    assert link.relative_to(root).as_posix() in error.value.what
    assert error.value.exit_code == 3


def test_a_link_that_is_set_after_the_scan_is_refused_when_read(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data", {"cat": 1, "dog": 1})
    (tmp_path / "secret.png").write_bytes(b"secret")
    read = image_folder.reader(root, DATA)
    (root / "cat/000.png").unlink()
    (root / "cat/000.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(DataError, match="out of the data folder"):
        read("cat/000.png")


def test_links_inside_the_root_are_followed_and_circles_end(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 1, "dog": 1})
    (tmp_path / "cat/again.png").symlink_to(tmp_path / "cat/000.png")
    (tmp_path / "cat/circle").symlink_to(tmp_path / "cat", target_is_directory=True)
    found = scan(tmp_path, DATA)
    assert found.samples["path"].tolist() == ["cat/000.png", "cat/again.png", "dog/000.png"]
    assert found.ignored == ["cat/circle"]


def test_a_root_that_is_a_link_is_fine(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", {"cat": 1, "dog": 1})
    (tmp_path / "link").symlink_to(tmp_path / "data")
    found = scan(tmp_path / "link", DATA)
    assert image_folder.reader(tmp_path / "link", DATA)(found.samples["path"][0])


def test_a_broken_link_is_refused_by_name_when_read(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 1, "dog": 1})
    (tmp_path / "cat/broken.png").symlink_to(tmp_path / "cat/gone.png")
    assert "cat/broken.png" in scan(tmp_path, DATA).samples["path"].tolist()
    with pytest.raises(DataError, match=r"cat/broken\.png"):
        image_folder.reader(tmp_path, DATA)("cat/broken.png")


def test_pictures_in_the_root_are_refused_by_name(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 1, "dog": 1})
    (tmp_path / "loose.png").write_bytes(encoded(gradient()))
    with pytest.raises(DataError, match=r"loose\.png") as error:
        scan(tmp_path, DATA)
    assert "class" in error.value.fix


def test_pictures_in_a_split_folder_are_refused_by_name(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/cat": 1, "train/dog": 1, "test": 2})
    with pytest.raises(DataError, match=r"000\.png") as error:
        scan(tmp_path, DATA)
    assert error.value.where.endswith("test")


def test_split_folders_with_pictures_alone_are_no_two_classes(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train": 2, "test": 2})
    with pytest.raises(DataError, match="outside of class folders"):
        scan(tmp_path, DATA)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    write_folder(tmp_path, {"car": 1, "train": 1, "bus": 1})
    assert scan(tmp_path, DATA).classes == ["bus", "car", "train"]


def test_class_folders_beside_split_folders_are_refused_and_said_so(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/cat": 1, "train/dog": 1, "fish": 1})
    with pytest.raises(
        DataError, match=r"class folders \(fish\) stand beside split folders \(train\)"
    ) as error:
        scan(tmp_path, DATA)
    assert error.value.fix


def test_two_folders_for_one_split_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, {"train/cat": 1, "val/cat": 1, "valid/cat": 1})
    with pytest.raises(DataError, match="same split"):
        scan(tmp_path, DATA)


@pytest.mark.parametrize("files", [["notes.txt"], [".hidden/a.png"]])
def test_a_root_without_class_folders_is_refused(tmp_path: Path, files: list[str]) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(DataError, match="no class folders") as error:
        scan(tmp_path, DATA)
    assert "<class>" in error.value.fix


def test_class_folders_without_any_picture_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 0, "dog": 0})
    with pytest.raises(DataError, match="no pictures"):
        scan(tmp_path, DATA)


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 1, "dog": 1})
    os.mkdir(os.fsencode(tmp_path) + b"/b\xe9b\xe9")  # noqa: PTH102  # a name in Latin-1
    with pytest.raises(DataError, match="not UTF-8"):
        scan(tmp_path, DATA)


def test_a_file_that_may_not_be_read_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path, {"cat": 1})

    def refuse(path: str, *how: object) -> int:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        with pytest.raises(DataError, match=r"cat/000\.png.*Permission denied"):
            image_folder.reader(tmp_path, DATA)("cat/000.png")


def test_classes_of_the_parameters_give_the_order_and_others_are_problems(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 1, "dog": 1, "fish": 1})
    found = scan(tmp_path, DataConfig(source="image_folder", path="toy", classes=["dog", "cat", "owl"]))
    assert found.classes == ["dog", "cat", "owl"]
    assert found.samples["target"].tolist()[:2] == ["cat", "dog"]
    assert found.samples["target"].isna().tolist() == [False, False, True]
    assert "fish" in found.samples["problem"][2]


def test_more_files_than_a_plain_folder_should_hold_are_offered_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path, {"cat": 2, "dog": 2})
    assert scan(tmp_path, DATA).notes == []
    monkeypatch.setattr(folder, "OFFERED", 3)
    assert "convoy data pack" in scan(tmp_path, DATA).notes[0]


def test_the_one_folder_at_the_top_of_a_zip_is_entered_but_not_one_that_is_a_split(tmp_path: Path) -> None:
    write_folder(tmp_path / "a" / "pictures", {"cat": 1, "dog": 1})
    write_folder(tmp_path / "b" / "train", {"cat": 1, "dog": 1})
    for name in ("a", "b"):
        shutil.make_archive(str(tmp_path / name), "zip", tmp_path / name)
    entered = scan(tmp_path / "a.zip", DATA)
    assert entered.samples["path"].tolist() == ["cat/000.png", "dog/000.png"]
    split = scan(tmp_path / "b.zip", DATA)
    assert split.samples["path"].tolist() == ["train/cat/000.png", "train/dog/000.png"]
    assert set(split.samples["split"]) == {"train"}


@pytest.mark.realdata
def test_a_zip_of_real_pictures_holds_what_their_folder_holds(tmp_path: Path, realdata: Path) -> None:
    root = realdata / "sign_language_digits"
    archive = Path(shutil.make_archive(str(tmp_path / "signs"), "zip", root.parent, root.name))
    inside, outside = scan(archive, DATA), scan(root, DATA)
    assert len(inside.samples) == 2062
    pd.testing.assert_frame_equal(inside.samples, outside.samples)
    read, plain = image_folder.reader(archive, DATA), image_folder.reader(root, DATA)
    assert all(read(path) == plain(path) for path in inside.samples["path"][::50])
