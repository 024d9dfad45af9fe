"""A scheduled run step by step, without Prefect: real git and DVC, a toy flow as its pipeline."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from convoy import provenance
from convoy.config.register import FlowConfig
from convoy.errors import ConfigError, DataError, ResourceError
from convoy.schedule import arrivals, commits, record, running, taking, workplace
from convoy.schedule.plan import Plan
from convoy.schedule.running import PipelineFailed, Ready
from convoy.schedule.workplace import Workplace
from tests.project import git
from tests.schedule import toyclone
from tests.schedule.toyclone import DATA, head, workspace

FLOW = FlowConfig(retries=2, retry_delay_seconds=0.01, stage_timeout_seconds=60)


class Run:
    """A run of a schedule, as the flow makes it."""

    def __init__(self, clone: Path, plan: Plan) -> None:
        self.clone, self.plan = clone, plan
        self.lines: list[str] = []
        self.receipt: dict[str, Any] = {}
        self.ready: Ready | str = ""
        self.git: provenance.GitState | None = None

    def __call__(self) -> "Run":
        last = record.read(self.clone, self.plan.name)
        folder = self.plan.folder(self.clone)
        listing = arrivals.listing(folder) if folder else None
        told = running.nothing_new(self.clone, self.plan, last, listing)
        if told:
            self.ready = told
            return self
        with workplace.laid_out(self.clone, commits.resolve(self.clone, self.plan.ref)) as place:
            self.ready = running.prepare(place, self.plan, last, listing, self.lines.append)
            if isinstance(self.ready, str):
                return self
            self.receipt = running.run_pipeline(
                place, ["--fresh"], {}, running.log_file(self.clone, self.plan)
            )
            self.git = provenance.git_state(place.project)
            running.finish(place, self.plan, self.ready, listing, "done", self.lines.append)
        return self


def test_a_schedule_has_one_run_at_a_time_and_a_crash_ends_its_turn(clone: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom convoy.schedule import running\n"
        "from convoy.schedule.plan import Plan\n"
        "with running.turn(Path(sys.argv[1]), Plan('nightly')) as mine:\n"
        "    print(mine, flush=True)\n    time.sleep(600)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, str(clone)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "True"
        with running.turn(clone, Plan("nightly")) as mine, running.turn(clone, Plan("weekly")) as another:
            assert (mine, another) == (False, True)
    finally:
        holder.kill()
        holder.wait()
        assert holder.stdout is not None
        holder.stdout.close()
    with running.turn(clone, Plan("nightly")) as mine:
        assert mine


@pytest.fixture
def inbox(clone: Path) -> Path:
    """A folder beside the clone with the data of the commit, into which more may arrive."""
    folder = clone.parent / "inbox"
    shutil.copytree(clone / DATA, folder)
    return folder


def test_a_run_leaves_every_byte_of_the_workspace_as_it_was(clone: Path, inbox: Path) -> None:
    """With uncommitted changes in it, and artifacts of the person's own."""
    toyclone.dvc(clone, "repro", "-q")
    toyclone.commit(clone, "with dvc.lock")
    (clone / "params.yaml").write_text((clone / "params.yaml").read_text() + "# mine\n")
    (clone / "names.txt").write_text("my own experiment")
    (clone / "notes.txt").write_text("untracked")
    (inbox / "c.txt").write_text("c")
    before = workspace(clone)
    run = Run(clone, Plan("nightly", "main", watch=str(inbox), commit_lock="scheduled"))()
    assert run.receipt["saw"] == "a.txt b.txt c.txt"
    assert workspace(clone) == before
    assert toyclone.dvc(clone, "status", f"{DATA}.dvc").strip() == "Data and pipelines are up to date."


def test_what_was_trained_is_a_clean_commit_that_holds_the_new_data(clone: Path, inbox: Path) -> None:
    (inbox / "c.txt").write_text("c")
    run = Run(clone, Plan("nightly", "main", watch=str(inbox), commit_lock="scheduled"))()
    assert run.git is not None
    assert not run.git.dirty, run.git.changed
    assert isinstance(run.ready, Ready)
    assert run.git.commit == run.ready.commit != head(clone)
    assert git(clone, "show", "--format=", "--name-only", run.ready.commit).split() == [f"{DATA}.dvc"]
    assert git(clone, "show", "--format=", "--name-only", "scheduled").split() == ["dvc.lock"]
    assert head(clone, "scheduled^") == run.ready.commit
    # a colleague gets what was trained on from the commit and the cache
    (digest,) = run.ready.taken.data.values()
    assert digest in git(clone, "show", f"scheduled:{DATA}.dvc")
    assert digest in git(clone, "show", "scheduled:dvc.lock")


def test_the_worktree_is_gone_and_what_it_shared_is_there(clone: Path) -> None:
    (clone / ".convoy/checkpoints").mkdir()
    (clone / ".convoy/checkpoints/epoch").write_text("precious")
    run = Run(clone, Plan("nightly", "main"))()
    assert not Path(run.receipt["where"]).exists()
    assert list((clone / ".convoy/scheduled").iterdir()) == []
    assert git(clone, "worktree", "list").count("\n") == 1
    assert (clone / ".convoy/checkpoints/epoch").read_text() == "precious"
    assert "scheduled" not in git(clone, "branch", "--list")


def test_a_second_run_on_the_same_data_ends_before_anything_is_laid_out(clone: Path, inbox: Path) -> None:
    plan = Plan("nightly", "main", watch=str(inbox), on_new_data=True)
    assert isinstance(Run(clone, plan)().ready, Ready)
    again = Run(clone, plan)()
    assert isinstance(again.ready, str)
    assert "nothing new in" in again.ready
    assert again.lines == []


def test_files_that_were_only_touched_are_no_new_data(clone: Path, inbox: Path) -> None:
    plan = Plan("nightly", "main", watch=str(inbox), on_new_data=True)
    Run(clone, plan)()
    os.utime(inbox / "a.txt", ns=(1, 1))
    again = Run(clone, plan)()
    assert isinstance(again.ready, str)
    assert "no new data since" in again.ready


def test_new_data_between_two_runs_are_trained_on_by_the_second(clone: Path, inbox: Path) -> None:
    plan = Plan("nightly", "main", watch=str(inbox), on_new_data=True, commit_lock="scheduled")
    first = Run(clone, plan)()
    (inbox / "c.txt").write_text("c")
    second = Run(clone, plan)()
    assert (first.receipt["saw"], second.receipt["saw"]) == ("a.txt b.txt", "a.txt b.txt c.txt")
    (inbox / "a.txt").unlink()
    third = Run(clone, plan)()
    assert third.receipt["saw"] == "b.txt c.txt"
    told = git(clone, "log", "--format=%s", "main..scheduled").splitlines()
    assert told == ["schedule nightly: dvc.lock", f"schedule nightly: {DATA}.dvc"] * 2 + [
        "schedule nightly: dvc.lock"
    ]


def test_a_run_by_the_clock_finds_that_all_stages_are_up_to_date(clone: Path) -> None:
    """Though nobody commits dvc.lock: the last run's is kept, and its outputs are in the cache."""
    plan = Plan("nightly", "main")
    first = Run(clone, plan)()
    assert isinstance(first.ready, Ready)
    assert not first.ready.done
    second = Run(clone, plan)()
    assert isinstance(second.ready, Ready)
    assert second.ready.done
    assert second.ready.fresh == {"list"}
    assert second.ready.commit == first.ready.commit == head(clone)


def test_a_newer_dvc_lock_in_the_commit_counts_more_than_the_kept_one(clone: Path) -> None:
    plan = Plan("nightly", "main")
    Run(clone, plan)()
    lock = "schema: '2.0'\nstages: {}\n"
    (clone / "dvc.lock").write_text(lock)
    toyclone.commit(clone, "another dvc.lock")
    with workplace.laid_out(clone, head(clone)) as place:
        record.lay_lock(clone, "nightly", record.read(clone, "nightly"), place.project)
        assert (place.project / "dvc.lock").read_text() == lock


def test_a_new_commit_is_run_when_the_ref_moves(clone: Path) -> None:
    plan = Plan("nightly", "main")
    Run(clone, plan)()
    (clone / DATA / "c.txt").write_text("c")
    toyclone.dvc(clone, "add", "-q", DATA.as_posix())
    toyclone.commit(clone, "more data")
    assert Run(clone, plan)().receipt["saw"] == "a.txt b.txt c.txt"


def test_data_that_the_cache_lacks_come_from_the_remote(clone: Path) -> None:
    toyclone.dvc(clone, "remote", "add", "-q", "-d", "store", "../store")
    toyclone.commit(clone, "a remote by a relative path")
    toyclone.dvc(clone, "push", "-q")
    shutil.rmtree(clone / ".dvc/cache")
    assert Run(clone, Plan("nightly", "main"))().receipt["saw"] == "a.txt b.txt"


def test_data_that_nobody_has_are_missed_by_name_and_a_retry_may_help(clone: Path) -> None:
    toyclone.dvc(clone, "remote", "add", "-q", "-d", "store", "../store")
    toyclone.commit(clone, "an empty remote")
    shutil.rmtree(clone / ".dvc/cache")
    with pytest.raises(ResourceError, match="DVC failed") as missed:
        Run(clone, Plan("nightly", "main"))()
    assert missed.value.exit_code == running.MENDABLE
    assert list((clone / ".convoy/scheduled").iterdir()) == []


def test_data_that_neither_git_nor_dvc_knows_are_said(clone: Path) -> None:
    git(clone, "rm", "--quiet", "--cached", f"{DATA}.dvc")
    (clone / f"{DATA}.dvc").unlink()
    git(clone, "commit", "--quiet", "-m", "untracked")
    with pytest.raises(DataError, match="neither git nor DVC has them"):
        Run(clone, Plan("nightly", "main"))()


def test_data_that_nobody_tracked_are_tracked_by_a_run_that_watches_them(clone: Path, inbox: Path) -> None:
    git(clone, "rm", "--quiet", "--cached", f"{DATA}.dvc", f"{DATA.parent}/.gitignore")
    (clone / f"{DATA}.dvc").unlink()
    (clone / DATA.parent / ".gitignore").unlink()
    shutil.rmtree(clone / DATA)
    git(clone, "commit", "--quiet", "-m", "untracked")
    run = Run(clone, Plan("nightly", "main", watch=str(inbox)))()
    assert run.git is not None
    assert not run.git.dirty, run.git.changed
    assert run.receipt["saw"] == "a.txt b.txt"


def test_imports_are_updated(clone: Path, inbox: Path) -> None:
    """`dvc import-url` of a folder stands for any import."""
    git(clone, "rm", "--quiet", "--cached", f"{DATA}.dvc")
    (clone / f"{DATA}.dvc").unlink()
    shutil.rmtree(clone / DATA)
    toyclone.dvc(clone, "import-url", "-q", str(inbox), DATA.as_posix())
    toyclone.commit(clone, "imported")
    plan = Plan("nightly", "main", fetch=True, on_new_data=True)
    assert Run(clone, plan)().receipt["saw"] == "a.txt b.txt"
    assert "no new data since" in str(Run(clone, plan)().ready)
    (inbox / "c.txt").write_text("c")
    third = Run(clone, plan)()
    assert third.receipt["saw"] == "a.txt b.txt c.txt"
    assert f"{DATA}.dvc: new data" in third.lines
    assert third.git is not None
    assert not third.git.dirty


def test_files_that_change_while_they_are_read_leave_the_run_undone(clone: Path, inbox: Path) -> None:
    plan = Plan("nightly", "main", watch=str(inbox))
    before = arrivals.listing(inbox)
    (inbox / "c.txt").write_text("c")
    with workplace.laid_out(clone, head(clone)) as place, pytest.raises(DataError, match="changed while"):
        taking.take(place, plan, before, [].append)
    assert record.read(clone, "nightly") is None


def test_an_empty_folder_replaces_nothing(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is empty"):
        Run(clone, Plan("nightly", "main", watch=str(tmp_path / "empty")))()


def test_data_inside_of_a_larger_tracked_folder_cannot_be_replaced(clone: Path, inbox: Path) -> None:
    git(clone, "rm", "--quiet", "-r", "--cached", "data")
    (clone / f"{DATA}.dvc").unlink()
    (clone / DATA.parent / ".gitignore").unlink()
    toyclone.dvc(clone, "add", "-q", "data/raw")
    toyclone.commit(clone, "data/raw is tracked as a whole")
    with pytest.raises(ConfigError, match=r"data/raw\.dvc tracks more"):
        Run(clone, Plan("nightly", "main", watch=str(inbox)))()


@contextmanager
def laid_out(clone: Path) -> Iterator[tuple[Workplace, Callable[..., dict[str, Any]]]]:
    with workplace.laid_out(clone, head(clone)) as place:
        taking.take(place, Plan("nightly"), None, [].append)

        def start(**variables: str) -> dict[str, Any]:
            return running.run_pipeline(place, [], variables, clone / ".convoy/logs/run.log")

        yield place, start


def test_a_pipeline_s_error_and_code_are_told(clone: Path) -> None:
    with laid_out(clone) as (_, start), pytest.raises(PipelineFailed, match="options") as failed:
        start(TOY_ERROR="3")
    assert failed.value.exit_code == 3


def test_the_pipeline_runs_the_code_of_the_commit(clone: Path) -> None:
    (clone / "src").mkdir()
    (clone / "src/ours.py").write_text("VALUE = 'committed'\n")
    flow = "import ours, os, json, pathlib\n"
    flow += "pathlib.Path(os.environ['CONVOY_RESULT']).write_text(json.dumps({'value': ours.VALUE}))\n"
    (clone / "flows/pipeline.py").write_text(flow)
    toyclone.commit(clone, "own code")
    (clone / "src/ours.py").write_text("VALUE = 'in the workspace'\n")
    with laid_out(clone) as (_, start):
        assert start() == {"value": "committed"}


def test_a_pipeline_that_was_killed_is_worth_another_try(clone: Path) -> None:
    (clone / "flows/pipeline.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    toyclone.commit(clone, "kills itself")
    with laid_out(clone) as (_, start), pytest.raises(ResourceError, match="by signal 9") as failed:
        start()
    assert failed.value.exit_code == running.MENDABLE


@pytest.mark.parametrize(("code", "tries"), [(5, 3), (2, 1), (3, 1), (4, 1)])
def test_only_what_time_may_mend_is_tried_again(code: int, tries: int) -> None:
    seen = []

    def action() -> None:
        seen.append(code)
        raise PipelineFailed(code, "no")

    with pytest.raises(PipelineFailed):
        running.mended(action, FLOW, FLOW.retries, [].append)
    assert len(seen) == tries


def test_a_fault_that_mends_itself_is_no_failure() -> None:
    left = [ResourceError("the remote is away")]

    def action() -> str:
        if left:
            raise left.pop()
        return "there"

    lines: list[str] = []
    assert running.mended(action, FLOW, 1, lines.append) == "there"
    assert "the remote is away" in lines[0]


HOLDS = """
import sys, time
from pathlib import Path
from convoy.schedule import workplace
with workplace.laid_out(Path(sys.argv[1]), sys.argv[2]) as place:
    print(place.tree.scratch, flush=True)
    time.sleep(600)
"""


def test_what_a_killed_run_left_is_swept_by_the_next_and_a_live_one_s_is_not(clone: Path) -> None:
    holders = []
    try:
        for _ in range(2):
            command = [sys.executable, "-c", HOLDS, str(clone), head(clone)]
            holders.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        scratches = []
        for holder in holders:
            assert holder.stdout is not None
            scratches.append(Path(holder.stdout.readline().strip()))
        assert all(scratch.is_dir() for scratch in scratches)
        holders[0].send_signal(signal.SIGKILL)
        holders[0].wait()
        assert scratches[0].is_dir()  # nobody tidied up
        with workplace.laid_out(clone, head(clone)):
            assert not scratches[0].exists()
            assert (scratches[1] / "tree" / clone.name / "params.yaml").is_file()
        assert (clone / ".convoy").is_dir()
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()
            assert holder.stdout is not None
            holder.stdout.close()


def test_an_ended_run_ends_its_pipeline(clone: Path) -> None:
    """SIGTERM to whoever waits reaches the child, which gets the time to end by itself."""
    (clone / "flows/pipeline.py").write_text(
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n    pathlib.Path('.convoy/told').write_text('SIGTERM'); sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path('.convoy/began').touch()\n"
        "time.sleep(600)\n"
    )
    toyclone.commit(clone, "sleeps")
    script = (
        "import signal, sys\nfrom pathlib import Path\nfrom convoy.schedule import running, workplace\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "root = Path(sys.argv[1])\n"
        "with workplace.laid_out(root, sys.argv[2]) as place:\n"
        "    running.run_pipeline(place, [], {}, root / '.convoy/logs/run.log')\n"
    )
    waiting = subprocess.Popen([sys.executable, "-c", script, str(clone), head(clone)])
    try:
        deadline = time.monotonic() + 120
        while not (clone / ".convoy/began").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(timeout=120) == 143
    finally:
        waiting.kill()
        waiting.wait()
    assert (clone / ".convoy/told").read_text() == "SIGTERM"
    assert list((clone / ".convoy/scheduled").iterdir()) == []
