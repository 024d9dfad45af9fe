"""One at a time: processes that wait, refuse, inherit, and are killed."""

import getpass
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from convoy.errors import ResourceError
from convoy.pipeline import lease
from tests.pipeline.leasing import Leasing, until

PROJECT = "project(Path(sys.argv[1]), 'convoy run', say=say)"
AT_ONCE = "project(Path(sys.argv[1]), 'convoy run', wait=False)"
GPU = "device(0, 'convoy stage train', say=say)"
CHILD = "import subprocess; child = subprocess.Popen([sys.executable, '-c', {code!r}], {how})"
SLEEP = "import time; time.sleep(600)"


@pytest.fixture(autouse=True)
def own_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lease.DEVICE_FOLDER, str(tmp_path / "devices"))
    monkeypatch.delenv(lease.INHERITED, raising=False)


def test_the_second_waits_for_the_first_by_name_and_has_it_then(tmp_path: Path) -> None:
    with Leasing(tmp_path, PROJECT) as first, Leasing(tmp_path, PROJECT) as second:
        lines = {first.line(), second.line()}
        assert "has it" in lines
        (told,) = lines - {"has it"}
        holder, other = (first, second) if f"process {first.process.pid}," in told else (second, first)
        assert told.startswith(f"waiting for `convoy run` of {getpass.getuser()} (process ")
        assert [each.owner.pid for each in lease.holders(tmp_path)] == [holder.process.pid]
        assert holder.end() == 0
        assert other.line() == "has it"


def test_who_does_not_wait_is_refused_with_5_and_the_holders_name(tmp_path: Path) -> None:
    with Leasing(tmp_path, PROJECT) as first:
        assert first.line() == "has it"
        with Leasing(tmp_path, AT_ONCE) as second:
            assert f"(process {first.process.pid}, since " in second.line()
            assert second.end() == 5


def test_a_killed_holder_frees_it(tmp_path: Path) -> None:
    with Leasing(tmp_path, PROJECT) as first:
        assert first.line() == "has it"
        first.kill()
        assert lease.holders(tmp_path) == []
        with lease.project(tmp_path, "convoy run", wait=False):
            assert [each.owner.pid for each in lease.holders(tmp_path)] == [os.getpid()]
        assert lease.holders(tmp_path) == []


def test_worktrees_that_share_the_state_are_one_project_and_others_are_not(tmp_path: Path) -> None:
    for name in ("one", "two", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "one/.convoy").mkdir()
    (tmp_path / "two/.convoy").symlink_to(tmp_path / "one/.convoy")
    with Leasing(tmp_path / "one", PROJECT) as first:
        assert first.line() == "has it"
        with pytest.raises(ResourceError), lease.project(tmp_path / "two", "x", wait=False):
            pass
        with lease.project(tmp_path / "other", "x", wait=False):
            pass


def test_what_the_holder_starts_has_it_too(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from convoy.pipeline import lease\n"
        f"with lease.project(Path({str(tmp_path)!r}), 'x', wait=False): print('child has it')"
    )
    with lease.project(tmp_path, "convoy run"):
        for descriptors in (lease.descriptors(), ()):
            done = subprocess.run(
                [sys.executable, "-c", code],
                capture_output=True,
                text=True,
                pass_fds=descriptors,
                check=False,
            )
            assert done.stdout == "child has it\n", done.stderr
        assert len(lease.holders(tmp_path)) == 1
    assert lease.holders(tmp_path) == []
    assert not os.environ.get(lease.INHERITED)


def test_the_name_of_a_lease_that_is_over_opens_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease.project(tmp_path, "convoy run"):
        old = os.environ[lease.INHERITED]
    with Leasing(tmp_path, PROJECT) as first:
        assert first.line() == "has it"
        monkeypatch.setenv(lease.INHERITED, old)
        with pytest.raises(ResourceError), lease.project(tmp_path, "x", wait=False):
            pass


def test_nobody_begins_beside_what_a_killed_run_left(tmp_path: Path) -> None:
    """The child has the descriptor, as DVC below a flow has it: the lease ends with the last of them."""
    child = CHILD.format(code=SLEEP, how="pass_fds=lease.descriptors()") + "; say(child.pid)"
    with Leasing(tmp_path, PROJECT, child) as first:
        assert first.line() == "has it"
        left = int(first.line())
        first.kill()
        with Leasing(tmp_path, PROJECT) as second:
            assert second.line().startswith("waiting for what is left of `convoy run` of ")
            psutil.Process(left).kill()
            assert second.line() == "has it"


def test_a_lease_is_taken_anew_below_another_one_in_the_same_process(tmp_path: Path) -> None:
    with lease.project(tmp_path, "convoy run"), lease.project(tmp_path, "convoy run", wait=False):
        assert len(lease.holders(tmp_path)) == 1


def test_a_dvc_by_hand_is_waited_for_and_its_stages_are_refused_during_a_run(tmp_path: Path) -> None:
    dvc = subprocess.Popen([sys.executable, "-c", SLEEP])
    try:
        lease.beside(tmp_path, dvc.pid, "dvc repro")
        lease.beside(tmp_path, dvc.pid, "dvc repro")  # its next stage
        with Leasing(tmp_path, PROJECT) as run:
            assert f"`dvc repro` of {getpass.getuser()} (process {dvc.pid}," in run.line()
            assert [each.lease for each in lease.holders(tmp_path)] == ["dvc"]
            dvc.kill()
            dvc.wait()
            assert run.line() == "has it"
            with pytest.raises(ResourceError, match=f"process {run.process.pid}"):
                lease.beside(tmp_path, os.getpid(), "dvc repro")
    finally:
        dvc.kill()
        dvc.wait()


def test_a_stage_below_the_run_is_not_in_its_way(tmp_path: Path) -> None:
    with lease.project(tmp_path, "convoy run"):
        lease.beside(tmp_path, os.getpid(), "dvc repro --single-item train")
        assert [each.lease for each in lease.holders(tmp_path)] == ["project"]


def test_one_training_at_a_time_on_a_gpu_over_all_projects(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Leasing(tmp_path / "one", GPU) as first:
        assert first.line() == "has it"
        with Leasing(tmp_path / "two", GPU) as second, Leasing(tmp_path / "two", "device(1, 'x')") as third:
            assert third.line() == "has it"
            assert second.line().startswith("waiting for `convoy stage train` of ")
            first.kill()
            assert second.line() == "has it"
            assert {each.lease for each in lease.holders(tmp_path)} == {"device 0", "device 1"}


def test_notes_of_the_dead_are_cleared_and_those_of_the_living_stay(tmp_path: Path) -> None:
    with Leasing(tmp_path, PROJECT) as first:
        assert first.line() == "has it"
        first.kill()
        assert [each.owner.pid for each in lease.clear(tmp_path, act=False)] == [first.process.pid]
        assert [each.owner.pid for each in lease.clear(tmp_path)] == [first.process.pid]
        assert lease.clear(tmp_path) == []
        with lease.project(tmp_path, "convoy run"):
            assert lease.clear(tmp_path) == []
            assert len(lease.holders(tmp_path)) == 1


@pytest.mark.parametrize("note", ["", "{", "[]", '{"pid": "x"}'], ids=["empty", "cut", "list", "no process"])
def test_a_damaged_note_is_in_nobodys_way(note: str, tmp_path: Path) -> None:
    folder = tmp_path / ".convoy/leases"
    folder.mkdir(parents=True)
    (folder / "project.json").write_text(note)
    (folder / "dvc-1.json").write_text(note)
    with lease.project(tmp_path, "convoy run", wait=False):
        assert json.loads((folder / "project.json").read_text())["pid"] == os.getpid()


def test_of_many_at_once_one_has_it_at_a_time(tmp_path: Path) -> None:
    """Each writes its number into a file, and sees it there still when it goes."""
    then = (
        "mark = Path(sys.argv[1]) / 'mark'; assert not mark.exists(), 'two at once'; "
        "mark.write_text('x'); import time; time.sleep(0.05); mark.unlink(); sys.exit(0)"
    )
    crowd = [Leasing(tmp_path, PROJECT, then) for _ in range(8)]
    try:
        assert [each.process.wait(120) for each in crowd] == [0] * 8
    finally:
        for each in crowd:
            each.__exit__()
    until(lambda: lease.holders(tmp_path) == [])
