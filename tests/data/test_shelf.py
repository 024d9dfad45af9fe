import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from convoy import io
from convoy.config.data import DataConfig, PrepareConfig
from convoy.data import manifest, pixels, shards, shelf
from convoy.data.store import Store
from convoy.stages.prepare import prepare
from tests.data.pictures import encoded, noise, write_folder
from tests.stages.dividing import divided

CONFIG = PrepareConfig(height=8, width=8, channels=3, resize="stretch")


class Project:
    """A data folder, its shelf, and `prepare` over both."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = write_folder(root / "data", {"cat": 150, "dog": 150})
        self.data = DataConfig(source="image_folder", path=str(self.folder))
        self.runs = 0

    def prepare(self, config: PrepareConfig = CONFIG, shelved: bool = True) -> Path:
        self.runs += 1
        table = divided(self.root / f"table {self.runs}", self.data)
        out = self.root / f"out {self.runs}"
        cache = self.root / "shelf" if shelved else None
        prepare(table, self.data, config, max_pixels=10**6, out=out, cache=cache, processes=0)
        return out

    def said(self, capsys: pytest.CaptureFixture[str]) -> str:
        return capsys.readouterr().out.strip().splitlines()[-1].removeprefix("prepare: ")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(shards, "_EXPECTED", 0)  # the least number of rows: 32 expected in a shard
    return Project(tmp_path)


def names(out: Path) -> set[str]:
    return {path.name for path in out.glob("*/shard-*.npy")}


def test_nothing_is_decoded_twice(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    first = project.prepare()
    assert project.said(capsys).startswith("300 pictures, 300 decoded, 0 taken over; ")
    second = project.prepare()
    total = len(names(first))
    assert total > 6
    assert project.said(capsys) == f"300 pictures, 0 decoded, 300 taken over; 0 of {total} shards written"
    assert io.sha256_tree(first) == io.sha256_tree(second)


def test_a_new_picture_is_decoded_alone_and_rewrites_its_shard_alone(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    before = names(project.prepare())
    (project.folder / "dog/075 new.png").write_bytes(encoded(noise(10**6)))
    out = project.prepare()
    assert project.said(capsys).startswith("301 pictures, 1 decoded, 300 taken over; ")
    assert len(names(out) - before) <= 2
    assert len(before - names(out)) <= 2
    assert io.sha256_tree(out) == io.sha256_tree(project.prepare(shelved=False))


def test_a_changed_picture_is_decoded_alone(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.prepare()
    (project.folder / "dog/075.png").write_bytes(encoded(noise(10**6)))
    out = project.prepare()
    assert project.said(capsys).startswith("300 pictures, 1 decoded, 299 taken over; ")
    assert io.sha256_tree(out) == io.sha256_tree(project.prepare(shelved=False))


def test_a_changed_label_decodes_nothing(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.prepare()
    (project.folder / "dog/075.png").rename(project.folder / "cat/075 not a dog.png")
    out = project.prepare()
    assert project.said(capsys).startswith("300 pictures, 0 decoded, 300 taken over; ")
    assert io.sha256_tree(out) == io.sha256_tree(project.prepare(shelved=False))


@pytest.mark.parametrize(
    "change", [{"resize": "fit"}, {"height": 9}, {"channels": 1}, {"interpolation": "cubic"}]
)
def test_another_spec_takes_nothing_over(
    project: Project, capsys: pytest.CaptureFixture[str], change: dict[str, object]
) -> None:
    project.prepare()
    other = CONFIG.model_copy(update=change)
    out = project.prepare(other)
    assert project.said(capsys).startswith("300 pictures, 300 decoded, 0 taken over; ")
    assert io.sha256_tree(out) == io.sha256_tree(project.prepare(other, shelved=False))


@pytest.mark.parametrize(("module", "name"), [(shelf.cv2, "__version__"), (pixels, "__file__")])
def test_other_libraries_or_other_code_take_nothing_over(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    name: str,
) -> None:
    project.prepare()
    other = project.root / "another version.py"
    other.write_text("# changed", encoding="utf-8")
    monkeypatch.setattr(module, name, str(other))
    project.prepare()
    assert project.said(capsys).startswith("300 pictures, 300 decoded, 0 taken over; ")


def test_a_killed_run_goes_on_where_it_was(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        calls, fitted = 0, pixels.fitted

        def die(*arguments: object) -> np.ndarray:
            nonlocal calls
            calls += 1
            if calls > 290:
                raise KeyboardInterrupt
            return fitted(*arguments)  # type: ignore[arg-type]

        patch.setattr(pixels, "fitted", die)
        with pytest.raises(KeyboardInterrupt):
            project.prepare()
    (project.root / "shelf/left.part").write_bytes(b"of the killed run")
    out = project.prepare()
    decoded = int(project.said(capsys).split(", ")[1].split()[0])
    assert 0 < decoded < 200
    assert io.sha256_tree(out) == io.sha256_tree(project.prepare(shelved=False))


@pytest.mark.parametrize("ending", [".npy", ".rows.npy", ".json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_shard_is_written_again(project: Project, ending: str, damage: str) -> None:
    first = project.prepare()
    for path in (project.root / "shelf").glob("*/*"):
        if path.name.partition(".")[2] == ending.removeprefix("."):
            content = path.read_bytes()
            path.unlink()
            if damage != "gone":
                new = content[:-7] if damage == "cut" else content[:-3] + b"\x00" + content[-2:]
                path.write_bytes(new)
    assert io.sha256_tree(project.prepare()) == io.sha256_tree(first)


def test_a_store_that_is_overwritten_in_place_does_no_lasting_harm(project: Project) -> None:
    first = project.prepare()
    digest = io.sha256_tree(first)
    for path in first.glob("train/shard-*.npy"):
        path.write_bytes(b"through the link into the shelf")
    assert io.sha256_tree(project.prepare()) == digest


def test_outputs_are_links_where_links_are_possible_and_copies_elsewhere(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = project.prepare()
    assert all(path.stat().st_nlink == 2 for path in linked.glob("*/shard-*.npy"))

    def refused(*arguments: object) -> None:
        raise OSError("another file system")

    monkeypatch.setattr(os, "link", refused)
    copied = project.prepare()
    assert all(path.stat().st_nlink == 1 for path in copied.glob("*/shard-*.npy"))
    assert io.sha256_tree(linked) == io.sha256_tree(copied)


def test_what_the_last_runs_did_not_use_is_removed(project: Project) -> None:
    place = project.root / "shelf"
    specs = [CONFIG.model_copy(update={"height": height}) for height in (8, 9, 10, 11)]
    for number, config in enumerate(specs):
        project.prepare(config)
        assert len([path for path in place.iterdir() if path.is_dir()]) == min(number + 1, 3)
    for _ in range(5):
        project.prepare(specs[3])
    assert len([path for path in place.iterdir() if path.is_dir()]) == 3
    (place / "runs.json").write_text("{", encoding="utf-8")
    project.prepare(specs[3])
    assert len([path for path in place.iterdir() if path.is_dir()]) == 1


def test_the_shelf_may_be_deleted_at_any_time(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    first = project.prepare()

    shutil.rmtree(project.root / "shelf")
    second = project.prepare()
    assert project.said(capsys).startswith("300 pictures, 300 decoded")
    assert io.sha256_tree(first) == io.sha256_tree(second)


def test_a_picture_that_is_there_twice_is_prepared_twice(project: Project) -> None:
    (project.folder / "dog/again.png").write_bytes((project.folder / "dog/005.png").read_bytes())
    out = project.prepare()
    assert sum(len(Store.open(out / side, verify=True)) for side in manifest.SPLITS) == 301
    assert io.sha256_tree(out) == io.sha256_tree(project.prepare())


def test_keys_tell_specs_orders_and_ids_apart() -> None:
    spec = {"height": 8, "width": 9}
    keys = [
        shelf.key(spec, ["a", "b"]),
        shelf.key(spec, ["b", "a"]),
        shelf.key(spec, ["ab"]),
        shelf.key({"height": 9, "width": 8}, ["a", "b"]),
    ]
    assert len(set(keys)) == 4
    assert shelf.key({"width": 9, "height": 8}, ["a", "b"]) == keys[0]
