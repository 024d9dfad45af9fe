"""A cancelled flow run, and a stage that takes too long: the whole tree ends, and a checkpoint is left."""

import json
import re
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from convoy.training import journal
from tests.faults.interrupting import (
    SECONDS,
    explained,
    find,
    log,
    mlflow_runs,
    nothing_is_left,
    processes,
    small_project,
    started,
    until_trained,
)
from tests.project import run

pytestmark = pytest.mark.slow

LONG = {"epochs": 100_000, "schedule": {"name": "fixed"}, "early_stopping": None, "checkpoint_minutes": 0.0}
DEPLOYMENT = """
pull:
  - prefect.deployments.steps.set_working_directory: {{directory: "{project}"}}
deployments:
  - {{name: cancelled, entrypoint: "flows/pipeline.py:pipeline", work_pool: {{name: convoy}}}}
"""


def ask(url: str, content: Any = None) -> Any:
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def ready(url: str, project: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(log(project)[-3000:])


def without(project: Path, name: str) -> bool:
    """Wait until no process of the project is called so; whether that happened."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if find(project, name) is None:
            return True
        time.sleep(0.1)
    return False


def checkpoints(project: Path) -> list[Path]:
    return sorted((project / ".convoy/checkpoints").glob("*/last.ckpt"))


def test_cancelling_in_prefect_ends_the_tree_behind_a_checkpoint_and_kills_the_mlflow_run(
    tmp_path: Path,
) -> None:
    """A worker runs the deployed flow; somebody cancels it (as the UI does, by the API) while it trains."""
    project = small_project(tmp_path / "project", train=LONG)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    home = str(project / ".prefect")
    own = {"PREFECT_API_URL": url, "PREFECT_HOME": home, "PREFECT_WORKER_QUERY_SECONDS": "1"}
    server = ("prefect", "server", "start", "--no-ui", "--host", "127.0.0.1", "--port", str(port))
    with started(project, *server, **own):
        ready(url, project)
        (project / "deploy.yaml").write_text(DEPLOYMENT.format(project=project), encoding="utf-8")
        deploy = ("deploy", "--prefect-file", "deploy.yaml", "--all")
        for command in (("work-pool", "create", "convoy", "--type", "process"), deploy):
            with started(project, "prefect", "--no-prompt", *command, alone=False, **own) as process:
                assert process.wait(SECONDS) == 0, log(project)[-3000:]
        with started(project, "prefect", "worker", "start", "--pool", "convoy", alone=False, **own):
            deployment = ask(f"{url}/deployments/name/convoy/cancelled")["id"]
            flow_run = ask(f"{url}/deployments/{deployment}/create_flow_run", {})["id"]
            live = until_trained(project, 3)
            assert any(tag.startswith("process 1 ") for tag in ask(f"{url}/flow_runs/{flow_run}")["tags"])
            state = {"state": {"type": "CANCELLING", "name": "Cancelling"}, "force": False}
            ask(f"{url}/flow_runs/{flow_run}/set_state", state)
            for name in ("convoy stage", "--wait-for-lock repro", "prefect.engine", "registry.mirror"):
                assert without(project, name), name
            deadline = time.monotonic() + SECONDS
            while ask(f"{url}/flow_runs/{flow_run}")["state_type"] != "CANCELLED":
                assert time.monotonic() < deadline
                time.sleep(0.2)
    *_, end = journal.read(live)
    assert (end["event"], end["status"]) == ("end", "KILLED")
    assert mlflow_runs(project) == ["KILLED"]
    assert len(checkpoints(project)) == 1
    found = explained(project)
    assert (found["status"], found["cause"], found["stage"]) == ("ended", "cancelled", "train")
    assert list(processes(project)) == []


def test_a_stage_that_takes_too_long_ends_with_all_its_processes_behind_a_checkpoint(tmp_path: Path) -> None:
    """The limit is doubled until this machine gets as far as the first epoch within it."""
    flow = {"retries": 2, "retry_delay_seconds": 0, "stage_timeout_seconds": 30}
    project = small_project(tmp_path / "project", train=LONG, flow=flow)
    assert run(project, "dvc", "repro", "augment", timeout=SECONDS).returncode == 0
    for seconds in (30, 60, 120, 240, 480):
        set_limit(project, seconds)
        done = run(project, "convoy", "run", timeout=SECONDS)
        assert done.returncode == 5, done.stdout + done.stderr
        assert f"stage train took longer than {seconds} s" in done.stderr
        assert done.stderr.count("Running stage 'train'") == 1  # no second try
        nothing_is_left(project)
        found = explained(project)
        assert (found["status"], found["cause"], found["stage"]) == ("failed", "timeout", "train")
        if found["training"] and found["training"]["epochs"]:
            break
    assert len(checkpoints(project)) == 1
    assert mlflow_runs(project) == ["KILLED"]


def set_limit(project: Path, seconds: int) -> None:
    params = project / "params.yaml"
    text = params.read_text(encoding="utf-8")
    pattern = r"stage_timeout_seconds: \d+"
    params.write_text(re.sub(pattern, f"stage_timeout_seconds: {seconds}", text), encoding="utf-8")
