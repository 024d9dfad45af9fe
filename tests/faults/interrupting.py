"""Real runs that are interrupted by real signals, and what must be true afterwards."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil

from convoy.bundle import contents
from convoy.pipeline import lease, rwlock
from convoy.training import journal
from tests.project import environment, make_project, processes, run

SECONDS = 1200.0  # for anything that has to happen, on a busy machine
SMALL: dict[str, dict[str, Any]] = {
    "train": {"epochs": 3, "batch_size": 16, "precision": "fp32", "threads": 1, "checkpoint_minutes": 0.0},
    "evaluate": {"resamples": 100, "robustness_samples": 4},
}


def small_project(folder: Path, **sections: dict[str, Any]) -> Path:
    changes = {name: {**SMALL.get(name, {}), **sections.get(name, {})} for name in {*SMALL, *sections}}
    return make_project(folder, changes)


def bundle(project: Path) -> str:
    """The digest of what would be registered."""
    return contents.digest(project / "artifacts/bundle")


@contextmanager
def started(
    project: Path, *command: str, alone: bool = True, **variables: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """A command of this project in a session of its own, its output in `output.log` beside the project.

    Args:
        alone: at the end, all processes of the project are killed; else only those of this session.
    """
    with (project.parent / "output.log").open("ab") as output:
        process = subprocess.Popen(
            command, cwd=project, env={**environment(project), **variables}, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        for _, other in processes(project):
            if alone or _session(other.pid) == process.pid:
                other.kill()
        process.wait(60)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def log(project: Path) -> str:
    return (project.parent / "output.log").read_text(encoding="utf-8", errors="replace")


def find(project: Path, name: str) -> psutil.Process | None:
    """The first process of the project whose command line holds `name`, shells left out."""
    found = (process for command, process in processes(project) if name in command and "sh -c" not in command)
    return next(found, None)


def wait_for(project: Path, name: str) -> psutil.Process:
    """As `find`, as soon as there is one."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = find(project, name)
        if found is not None:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{name} never ran:\n{log(project)[-3000:]}")


def hit(project: Path, victim: str, number: signal.Signals, during: str) -> psutil.Process:
    """Send a signal to a process of the project while another one runs."""
    wait_for(project, during)
    time.sleep(0.3)
    process = wait_for(project, victim)
    process.send_signal(number)
    return process


def quiet(project: Path) -> bool:
    """Wait until no process of the project is left; whether that happened."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if not list(processes(project)):
            return True
        time.sleep(0.1)
    return False


def until_trained(project: Path, epochs: int) -> Path:
    """The journal of the training, as soon as it tells of some epochs."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for path in (project / ".convoy/runs").glob("*/journal.jsonl"):
            if sum(event["event"] == "metrics" for event in journal.read(path)) >= epochs:
                return path
        time.sleep(0.1)
    raise AssertionError(log(project)[-3000:])


def explained(project: Path) -> dict[str, Any]:
    done = run(project, "convoy", "explain", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def flow_runs(project: Path) -> list[str]:
    """The states of the flow's runs on temporary servers, the oldest first."""
    return _column(project / ".prefect/prefect.db", "SELECT state_type FROM flow_run ORDER BY created")


def mlflow_runs(project: Path) -> list[str]:
    return _column(project / ".convoy/mlflow/mlflow.db", "SELECT status FROM runs ORDER BY start_time")


def nothing_is_left(project: Path) -> None:
    """No process, nothing running in MLflow or Prefect, all locks free."""
    assert quiet(project), [command for command, _ in processes(project)]
    assert "RUNNING" not in flow_runs(project)
    assert "RUNNING" not in mlflow_runs(project)
    assert lease.holders(project) == []
    assert rwlock.commands(project) == {}


def _column(database: Path, query: str) -> list[str]:
    if not database.is_file():  # set aside as damaged, and no server has begun a new one
        return []
    with closing(sqlite3.connect(database)) as connection:
        return [str(value) for (value,) in connection.execute(query)]
