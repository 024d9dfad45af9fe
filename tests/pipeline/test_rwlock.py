"""What dead DVC commands left in DVC's books is removed; what a living one holds stays."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from convoy.pipeline import rwlock
from tests.pipeline import toyline
from tests.pipeline.leasing import until

HOLD = """
stages:
  slow:
    cmd: >-
      python -c "import pathlib, time; pathlib.Path('begun').touch();
      [time.sleep(0.05) for _ in iter(pathlib.Path('go').exists, True)]; pathlib.Path('g.txt').touch()"
    deps: [in.txt]
    outs: [g.txt]
"""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dvc")
    (root / "dvc.yaml").write_text(HOLD)
    (root / "in.txt").write_text("in")
    toyline.dvc(root, "init", "--no-scm", "--quiet")
    return root


@pytest.fixture
def project(empty: Path, tmp_path: Path) -> Path:
    return toyline.copy(empty, tmp_path / "project")


@pytest.fixture
def stranger() -> Iterator[int]:
    """A process that is no DVC command, and began after the books were written."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.kill()
    process.communicate()


def ended() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def write(project: Path, *pids: int) -> Path:
    """The books of DVC commands that write `g.txt` and read `in.txt`; as old as this process."""
    entries = [{"pid": pid, "cmd": f"dvc repro {n}"} for n, pid in enumerate(pids)]
    path = project / ".dvc/tmp/rwlock"
    path.parent.mkdir(exist_ok=True)
    content = {"write": {str(project / "g.txt"): entries[0]}, "read": {str(project / "in.txt"): entries}}
    path.write_text(json.dumps(content))
    os.utime(path, (psutil.Process().create_time() - 60,) * 2)
    return path


def test_nothing_is_found_where_nothing_is_held(project: Path) -> None:
    assert rwlock.repair(project) == []
    (project / ".dvc/tmp/rwlock").write_text("{}")
    assert rwlock.repair(project) == []


def test_entries_of_dead_processes_go_and_are_named(project: Path) -> None:
    gone = ended()
    path = write(project, gone)
    before = path.read_text()
    found = [f"DVC's lock of `dvc repro 0` (process {gone}, which is gone)"]
    assert rwlock.repair(project, act=False) == found
    assert path.read_text() == before
    assert rwlock.repair(project) == found
    assert rwlock.commands(project) == {}
    assert rwlock.repair(project) == []


def test_a_number_that_was_given_out_again_blocks_dvc_no_longer(project: Path, stranger: int) -> None:
    write(project, stranger)
    with pytest.raises(subprocess.CalledProcessError):
        toyline.dvc(project, "repro")
    write(project, stranger)
    assert len(rwlock.repair(project)) == 1
    (project / "go").touch()
    toyline.dvc(project, "repro")


@pytest.mark.parametrize("text", ["", '{"write": {"', "[]", '{"write": {"a": {}}}'], ids=repr)
def test_books_that_were_cut_are_begun_anew(text: str, project: Path) -> None:
    (project / ".dvc/tmp").mkdir(exist_ok=True)
    (project / ".dvc/tmp/rwlock").write_text(text)
    (found,) = rwlock.repair(project)
    assert "damaged" in found
    (project / "go").touch()
    toyline.dvc(project, "repro")


def test_what_a_living_dvc_holds_is_left_alone_also_when_the_books_are_damaged(project: Path) -> None:
    path = project / ".dvc/tmp/rwlock"
    process = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "--quiet"], cwd=project)
    try:
        until((project / "begun").exists)
        gone = ended()
        assert set(rwlock.commands(project)) == {process.pid}
        assert rwlock.repair(project) == []
        os.utime(path, (time.time() - 1e6,) * 2)  # as if the clock had been set
        assert rwlock.repair(project) == []
        content = json.loads(path.read_text())
        content["read"]["other"] = [{"pid": gone, "cmd": "dvc status"}]
        path.write_text(json.dumps(content))
        assert len(rwlock.repair(project)) == 1
        assert set(rwlock.commands(project)) == {process.pid}
        whole = path.read_text()
        path.write_text(whole[:20])
        assert rwlock.repair(project) == []
        path.write_text(whole)
    finally:
        (project / "go").touch()
        assert process.wait(60) == 0
    assert rwlock.commands(project) == {}


def test_a_claim_file_is_told_of_and_left(project: Path) -> None:
    lock = project / ".dvc/tmp/lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(" 4711\n")
    assert rwlock.claimed(project) is None  # a flock, which is free
    lock.write_text(f"{project}/.dvc/tmp/0123456789abcdef.lock")
    assert rwlock.claimed(project) == lock
    assert lock.exists()
