"""Scheduled runs on a real Prefect server with a real worker: DVC, Lightning, MLflow, the gate."""

import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from convoy import provenance
from convoy.pipeline import abandoned, database
from tests.project import ROOT, commit, environment, git, make_project, run
from tests.schedule.toyclone import commit as by_hand
from tests.schedule.toyclone import workspace

pytestmark = pytest.mark.slow

_SECONDS = 900.0  # generous: other tests run beside these
_ENDS = {"Completed", "NothingNew", "Failed", "Crashed", "Cancelled", "LeftOut"}
DATA = Path("data/raw/toy")
SETTINGS = {"train": {"epochs": 20}}


@pytest.fixture(scope="module")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="module")
def prefect(prefect_home: Path) -> Iterator[str]:
    """The address of a Prefect server, as `convoy up` has one."""
    home = prefect_home
    database.lay_out(home)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1",
               "--port", str(port), "--no-ui", "--log-level", "WARNING"]  # fmt: skip
    with started(command, home, {"PREFECT_HOME": str(home)}):
        url = f"http://127.0.0.1:{port}/api"
        wait(lambda: answers(url), "the Prefect server")
        yield url


@contextmanager
def started(command: list[str], folder: Path, variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process and all that it started, gone at the end."""
    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=folder, env={**environment(folder), **variables}, stdin=nothing, stdout=nothing,
        stderr=nothing, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a process and to everything below it, as a power cut would."""
    below = []
    if process.poll() is None:
        below = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    process.wait()
    for each in below:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(below, timeout=30)


class Desk:
    """A person's project and the server."""

    def __init__(self, project: Path, url: str, **more: str) -> None:
        self.project = project
        self.variables = {"PREFECT_API_URL": url, "PREFECT_HOME": str(project / ".prefect"), **more}

    def convoy(self, *arguments: str) -> str:
        environ = {**environment(self.project), **self.variables}
        done = subprocess.run(
            ["convoy", *arguments], cwd=self.project, env=environ, capture_output=True, text=True,
            timeout=_SECONDS, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def runs(self, name: str) -> list[dict[str, Any]]:
        """The newest first."""
        found: list[dict[str, Any]] = json.loads(self.convoy("schedule", "show", name, "--json"))["runs"]
        return found

    def tick(self, name: str) -> dict[str, Any]:
        """A run of the schedule, to its end."""
        return self.ended(name, self.start(name))

    def start(self, name: str) -> str:
        number: str = json.loads(self.convoy("schedule", "start", name, "--json"))["id"]
        return number

    def run(self, name: str, number: str) -> dict[str, Any]:
        return next((run for run in self.runs(name) if run["id"] == number), {"state": ""})

    def ended(self, name: str, number: str) -> dict[str, Any]:
        wait(lambda: self.run(name, number)["state"] in _ENDS, f"a run of {name}", every=1.0)
        return self.run(name, number)

    @contextmanager
    def worker(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "convoy", *options]
        with started(command, self.project, {**self.variables, "PREFECT_WORKER_QUERY_SECONDS": "1"}) as it:
            yield it


def wait(is_so: Callable[[], bool], what: str, every: float = 0.2) -> None:
    deadline = time.monotonic() + _SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {_SECONDS:g} s")
        time.sleep(every)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture
def desk(prefect: str, tmp_path: Path) -> Desk:
    """A committed project whose data DVC tracks, and a copy of them as an inbox."""
    project = make_project(tmp_path / "a project 项目", SETTINGS)
    ignored = project / ".gitignore"
    ignored.write_text(ignored.read_text().replace("/data/raw/\n", ""))
    done = run(project, "dvc", "add", "--quiet", DATA.as_posix())
    assert done.returncode == 0, done.stderr
    commit(project)
    git(project, "branch", "--move", "main")
    shutil.copytree(project / DATA, tmp_path / "inbox")
    return Desk(project, prefect)


def second_camera(inbox: Path, per_class: int = 40) -> None:
    """Pictures on which bright and dark are exchanged: a model that never saw such a one is always wrong."""
    random = np.random.default_rng(7)
    for number, name in enumerate(("上 up", "下 down")):
        for n in range(per_class):
            pixels = random.integers(170, 250, (20, 20, 3), dtype=np.uint8)
            half = slice(0, 10) if number == 0 else slice(10, 20)
            pixels[half] -= 120
            Image.fromarray(pixels).save(inbox / name / f"新 {n}.png")


def outputs(file: Path) -> dict[str, str]:
    """Stage output -> digest, by a dvc.lock."""
    lock = provenance.read_yaml(file)
    return {out["path"]: out["md5"] for stage in lock["stages"].values() for out in stage["outs"]}


def test_two_ticks_with_new_data_between_them_make_a_new_champion(desk: Desk, tmp_path: Path) -> None:
    project, inbox = desk.project, tmp_path / "inbox"
    told = desk.convoy(
        "schedule", "add", "0 0 29 2 *", "--name", "camera", "--timezone", "Asia/Shanghai", "--on-new-data",
        "--watch", str(inbox), "--settle", "1", "--commit-lock", "scheduled/camera",
    )  # fmt: skip
    assert "(Asia/Shanghai)" in told
    (project / "params.yaml").write_text((project / "params.yaml").read_text() + "# being edited\n")
    before = workspace(project)
    with desk.worker():
        number = desk.start("camera")
        wait(lambda: desk.run("camera", number)["state"] == "Running", "the first run", every=0.5)
        beside = desk.tick("camera")
        assert beside["state"] == "LeftOut", beside["said"]
        first = desk.ended("camera", number)
        assert first["state"] == "Completed", first["said"]
        assert "version 1: champion" in first["said"]
        again = desk.tick("camera")
        assert again["state"] == "NothingNew", again["said"]
        second_camera(inbox)
        second = desk.tick("camera")
    assert second["state"] == "Completed", second["said"]
    assert "version 2: champion" in second["said"]
    assert workspace(project) == before
    rows = json.loads(desk.convoy("registry", "list", "--json"))
    assert {row["version"]: row["aliases"] for row in rows}["2"] == ["champion"]
    trained = git(project, "rev-parse", "scheduled/camera^").strip()
    assert second["name"] == f"camera {trained[:8]}"
    runs = json.loads(desk.convoy("runs", "--json"))
    assert [entry["name"].startswith("camera ") for entry in runs] == [True, True]
    assert runs[0]["name"].startswith(second["name"])
    assert list((project / ".convoy/scheduled").iterdir()) == []
    assert git(project, "worktree", "list").count("\n") == 1


def test_after_a_power_cut_the_next_run_goes_on_and_ends_in_the_same_bytes(
    desk: Desk, tmp_path: Path
) -> None:
    """SIGKILL to the worker, the run, its pipeline and the stage while it trains."""
    project = desk.project
    desk.convoy("schedule", "add", "0 0 29 2 *", "--name", "cut", "--timezone", "UTC")
    before = workspace(project)
    with desk.worker() as worker:
        first = desk.start("cut")
        wait(lambda: trains(worker.pid), "the train stage")
        end(worker)
    left = list((project / ".convoy/scheduled").glob("run-*"))
    assert left  # nobody tidied up
    url = desk.variables["PREFECT_API_URL"]
    wait(lambda: bool(abandoned.mark(url)), "the dead run's end")  # what the next start of the stack does
    assert desk.run("cut", first)["state"] == "Crashed"
    with desk.worker():
        second = desk.tick("cut")
        third = desk.tick("cut")
    assert second["state"] == "Completed", second["said"]
    assert third["state"] == "NothingNew", third["said"]
    assert "nothing changed: digits version 1: champion" in third["said"]
    assert workspace(project) == before
    assert list((project / ".convoy/scheduled").iterdir()) == []
    rows = json.loads(desk.convoy("registry", "list", "--json"))
    assert [row["version"] for row in rows] == ["1"]
    [entry] = json.loads(desk.convoy("runs", "--json"))
    assert entry["status"] == "FINISHED"
    uninterrupted = make_project(tmp_path / "another", SETTINGS)
    done = run(uninterrupted, "dvc", "repro", timeout=_SECONDS)
    assert done.returncode == 0, done.stderr
    kept = project / ".convoy/schedules/cut/dvc.lock"
    assert outputs(kept) == outputs(uninterrupted / "dvc.lock")


def trains(pid: int) -> bool:
    """Whether a `convoy stage train` runs below a process, for a moment already."""
    for process in psutil.Process(pid).children(recursive=True):
        try:
            command = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if command.rstrip().endswith("convoy stage train"):
            journals = Path(process.cwd()).glob(".convoy/runs/*/journal.jsonl")
            return any('"metrics"' in journal.read_text() for journal in journals)
    return False


def test_ticks_that_no_worker_was_there_for_are_done_by_one_run(
    prefect: str, prefect_home: Path, clone: Path
) -> None:
    shutil.copy(ROOT / "flows/scheduled.py", clone / "flows/scheduled.py")
    graph = clone / "dvc.yaml"
    graph.write_text(graph.read_text().rstrip() + "\n    always_changed: true\n")
    by_hand(clone, "the flow, and something to do for every run")
    desk = Desk(clone, prefect, PYTHONPATH=str(ROOT / "src"))
    desk.convoy("schedule", "add", "0 0 29 2 *", "--name", "missed", "--timezone", "UTC")
    ticks = [desk.start("missed") for _ in range(4)]
    with closing(sqlite3.connect(prefect_home / "prefect.db", timeout=60)) as server, server:
        changed = server.execute(  # as the scheduler makes them; the last one is a person's
            "UPDATE flow_run SET auto_scheduled = 1 WHERE id IN (?, ?, ?)", ticks[:3]
        )
        assert changed.rowcount == 3
    with desk.worker("--limit", "1"):
        ends = [desk.ended("missed", tick) for tick in ticks]
    states = sorted(end["state"] for end in ends[:3])
    assert states == ["Cancelled", "Cancelled", "Completed"], ends
    assert [end["said"] for end in ends if end["state"] == "Cancelled"] == [
        "missed, as no worker was there; a later run did it"
    ] * 2
    assert ends[3]["state"] == "Completed"
