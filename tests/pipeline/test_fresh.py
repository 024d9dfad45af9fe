"""One question to DVC: what it calls fresh is what `dvc status` and `dvc repro` call up to date."""

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc.repo import Repo

from convoy.pipeline import dag
from convoy.pipeline.fresh import standing
from tests.pipeline import toyline

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished") / "project"
    toyline.make(root)
    toyline.dvc(root, "repro")
    return root


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    return toyline.copy(finished, tmp_path / "project")


def fresh(root: Path) -> set[str]:
    found = standing(root)
    assert found is not None
    return set(found.fresh)


def cached_file(root: Path, path: str) -> Path:
    """Where DVC's cache keeps an output that is a file."""
    lock = locked(root)
    md5 = next(out["md5"] for stage in lock.values() for out in stage["outs"] if out["path"] == path)
    return root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def locked(root: Path) -> dict[str, dict[str, list[dict[str, str]]]]:
    from ruamel.yaml import YAML

    found: dict[str, dict[str, list[dict[str, str]]]] = YAML(typ="safe").load(root / "dvc.lock")["stages"]
    return found


def edit(name: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return change


def test_nothing_is_left_to_do_after_a_run(project: Path) -> None:
    found = standing(project)
    assert found is not None
    assert found.done
    assert found.fresh == set(toyline.NAMES)
    assert found.graph == dag.graph(project)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (edit("params.yaml", "1", "2"), {"read", "beside"}),
        (lambda root: (root / "params.yaml").write_text("{}\n"), {"read", "beside"}),
        (edit("dvc.yaml", "sum.txt scale/", "sum.txt ./scale/"), {"read", "scale", "beside"}),
        (edit("stage.py", "import", "\nimport"), set()),
        (edit("raw/a.txt", "a", "A"), {"beside"}),
        (lambda root: (root / "raw/c.txt").write_text("c"), {"beside"}),
        (lambda root: (root / "raw/b.txt").unlink(), {"beside"}),
        (lambda root: shutil.rmtree(root / "raw"), {"beside"}),
        (lambda root: (root / "sum.txt").unlink(), {"read", "scale", "beside"}),
        (edit("sum.txt", "ab", "other"), {"read", "scale", "beside"}),
        (lambda root: (root / "scale/out.txt").unlink(), {"read", "beside"}),
        (lambda root: (root / "scale/more.txt").write_text("more"), {"read", "beside"}),
        (lambda root: cached_file(root, "sum.txt").unlink(), {"read", "scale", "beside"}),
        (lambda root: (root / "dvc.lock").unlink(), set()),
        (edit("raw.dvc", "md5: ", "md5: 0"), {"beside"}),
        (lambda root: (root / "raw.dvc").unlink(), set(toyline.NAMES)),
    ],
    ids=[
        "a parameter", "a parameter is gone", "a command", "code", "a data file", "a new data file",
        "a data file is gone", "all data are gone", "an output is gone", "an output was edited",
        "a file of an output is gone", "a file more in an output", "the cache lost an output", "no dvc.lock",
        "other data were pinned", "the data are not tracked",
    ],
)  # fmt: skip
def test_what_changed_and_what_comes_after_it_is_not_fresh(
    change: Change, left: set[str], project: Path
) -> None:
    change(project)
    assert fresh(project) == left
    with Repo(str(project)) as repo:
        told = {name.partition(":")[2] or name for name in repo.status()}
    assert not told & left
    assert bool(told) == (left != set(toyline.NAMES))


def test_tracked_data_that_feed_no_stage_do_not_matter(project: Path) -> None:
    (project / "other.txt").write_text("edited")
    assert fresh(project) == set(toyline.NAMES)
    assert "other.txt.dvc" in json.loads(toyline.dvc(project, "status", "--json"))


def test_the_answer_is_dvcs_own_also_after_an_edit_that_keeps_the_size(project: Path) -> None:
    """The database of hashes goes by inode, time and size; a second question must see the time."""
    assert fresh(project) == set(toyline.NAMES)
    path = project / "raw/a.txt"
    path.write_text("x")
    os.utime(path, ns=(1, 1))
    assert fresh(project) == {"beside"}


def test_while_another_dvc_holds_the_project_there_is_no_answer(project: Path) -> None:
    with Repo(str(project)) as other, other.lock:
        assert standing(project) is None
    assert fresh(project) == set(toyline.NAMES)


def test_a_killed_dvcs_marks_are_no_hindrance_and_those_of_a_live_one_are(project: Path) -> None:
    marks = project / ".dvc/tmp/rwlock"
    gone = {"pid": 2**22 + 1, "cmd": "dvc repro"}
    marks.write_text(json.dumps({"write": {str(project / "read.txt"): gone}, "read": {}}))
    assert fresh(project) == set(toyline.NAMES)
    alive = {"pid": os.getppid(), "cmd": "dvc repro"}
    marks.write_text(json.dumps({"write": {str(project / "read.txt"): alive}, "read": {}}))
    assert standing(project) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda root: (root / ".dvc/tmp/rwlock").write_text('{"write": {'),
        lambda root: (root / "dvc.yaml").write_text("stages: ["),
        lambda root: (root / "dvc.lock").write_text("stages: {read: 3}"),
        lambda root: shutil.rmtree(root / ".dvc"),
    ],
    ids=["a truncated rwlock", "dvc.yaml is no YAML", "a damaged dvc.lock", "no DVC project"],
)
def test_what_dvc_cannot_answer_is_left_to_the_stages(damage: Change, project: Path) -> None:
    damage(project)
    assert standing(project) is None


def test_no_thread_is_left_behind(project: Path) -> None:
    before = threading.active_count()
    standing(project)
    assert threading.active_count() == before
