"""What a scheduled run costs above its stages, from being asked for to its end, with `convoy up` running.

Two peers. The stages of the default recipe one after the other, each as `convoy stage NAME` in its process,
without DVC, Prefect or MLflow's server: the same work, nothing around it. And `dvc repro`, which is how the
stages run without us: DVC caches what they make, and nobody tracks or registers it. All begin with no
artifacts, no cache and no checkpoint. Where the difference goes is read off the server's records of the run.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import checkout
from benchmarks.measure import Report, ratio, spread
from convoy import standing
from convoy.cli.stage import STAGES
from convoy.data import fetch

_ELSEWHERE = ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "PREFECT_HOME", "MPLCONFIGDIR")
_UP_SECONDS, _RUN_SECONDS = 180.0, 1800.0
_NAME = "bench"

WAIT = "until its process runs: worker, Python, Prefect"
READY = "worktree, data, the pipeline's process"
STAGED = "stages in their tasks: DVC, Python, work"
REGISTER = "registration"
LEAVE = "the rest: between tasks, after them, the worktree's end"
PARTS = (WAIT, READY, STAGED, REGISTER, LEAVE)


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    ours: list[float] = []
    theirs: list[float] = []
    repros: list[float] = []
    parts: list[dict[str, float]] = []
    for turn in range(rounds + 1):
        where = f"round {turn}/{rounds}" if turn else "warm-up"
        with TemporaryDirectory(prefix="convoy-bench-") as folder:
            root = Path(folder) / "project"
            checkout.copy(root, own_data=True)
            checkout.commit(root)
            progress(f"{where}: the stages alone")
            alone = _stages_alone(root)
            _forget(root)
            progress(f"{where}: dvc repro")
            repro = _repro(root)
            _forget(root)
            progress(f"{where}: a scheduled run")
            with _stack(root) as api:
                seconds, found = _scheduled(root, api)
        if turn:
            theirs.append(alone)
            repros.append(repro)
            ours.append(seconds)
            parts.append(found)
    rows = [
        ["a scheduled run, asked for to ended", spread(ours), ""],
        *([f"  {part}", spread([each[part] for each in parts]), ""] for part in PARTS),
        ["over `dvc repro`", spread(repros), f"{ratio(ours, repros):.3f}"],
        ["over the stages alone, one process each", spread(theirs), f"{ratio(ours, theirs):.3f}"],
    ]
    more = [mine - peer for mine, peer in zip(ours, theirs, strict=True)]
    return Report(
        title="seconds of a scheduled run of the default recipe, `convoy up` running",
        columns=["", "seconds", "ratio"],
        rows=rows,
        notes=[
            f"Above its stages: {median(more):.1f} s. Target: a ratio of at most 1.10.",
            f"Medians of {rounds} rounds, each in a new copy; least and most in brackets.",
        ],
        data={"scheduled": ours, "repro": repros, "alone": theirs, "parts": parts},
    )


def _stages_alone(root: Path) -> float:
    fetch.get("mnist5k", root)
    began = time.monotonic()
    for stage in STAGES:
        _convoy(root, "stage", stage)
    return time.monotonic() - began


def _repro(root: Path) -> float:
    fetch.get("mnist5k", root)
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "dvc", "repro"], cwd=root, env=_environment(), stdin=subprocess.DEVNULL,
        capture_output=True, check=True,
    )  # fmt: skip
    return time.monotonic() - began


def _forget(root: Path) -> None:
    """As if nothing had run."""
    for name in (".convoy", ".prefect", "artifacts", ".dvc/cache", ".dvc/tmp", "data/raw/mnist5k"):
        shutil.rmtree(root / name, ignore_errors=True)


@contextmanager
def _stack(root: Path) -> Iterator[str]:
    """`convoy up`; the address of its Prefect server."""
    process = subprocess.Popen(
        [_tool("convoy"), "up", "--no-serve", "--mlflow-port", _port(), "--prefect-port", _port()],
        cwd=root,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _UP_SECONDS
        while (found := standing.find(root)) is None:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("`convoy up` did not start")
            time.sleep(0.2)
        yield found.prefect
    finally:
        process.terminate()
        process.wait()


def _scheduled(root: Path, api: str) -> tuple[float, dict[str, float]]:
    """Seconds of one run, and where they went.

    Raises:
        RuntimeError: it did not end well.
    """
    _convoy(root, "schedule", "add", "0 0 1 1 *", "--name", _NAME, "--ref", "HEAD")
    started = json.loads(_convoy(root, "schedule", "start", _NAME, "--json"))["id"]
    wanted = {"flow_runs": {"id": {"any_": [started]}}}  # the deployment has later ones already
    deadline = time.monotonic() + _RUN_SECONDS
    while True:
        (found,) = _ask(api, "flow_runs/filter", wanted)
        if found["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            break
        if time.monotonic() > deadline:
            raise RuntimeError("the scheduled run did not end")
        time.sleep(0.5)
    if found["state_type"] != "COMPLETED":
        raise RuntimeError(f"the scheduled run ended as {found['state_name']}: {found['state']['message']}")
    within = {"flow_runs": {"parent_flow_run_id": {"any_": [found["id"]]}}}
    (child,) = _ask(api, "flow_runs/filter", within)
    tasks = _ask(api, "task_runs/filter", {"flow_runs": {"id": {"any_": [child["id"]]}}})
    taken = {task["name"]: _at(task["end_time"]) - _at(task["start_time"]) for task in tasks}
    asked, began, ended = _at(found["created"]), _at(found["start_time"]), _at(found["end_time"])
    parts = {
        WAIT: began - asked,
        READY: _at(child["start_time"]) - began,
        STAGED: sum(taken[stage] for stage in STAGES),
        REGISTER: taken["register"],
    }
    return ended - asked, {**parts, LEAVE: ended - asked - sum(parts.values())}


def _ask(api: str, path: str, content: dict[str, Any]) -> list[dict[str, Any]]:
    body = json.dumps(content).encode()
    request = urllib.request.Request(f"{api}/{path}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        rows: list[dict[str, Any]] = json.load(answer)
    return rows


def _at(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _convoy(root: Path, *arguments: str) -> str:
    """What it prints."""
    done = subprocess.run(
        [_tool("convoy"), *arguments], cwd=root, env=_environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"`convoy {' '.join(arguments)}` ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def _port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def _tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"}
