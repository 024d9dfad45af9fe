"""1,000 metrics on their way to MLflow: the mirror's batches against a loop of `log_metric`.

Both sides send to the same place, in turns: the project's SQLite database, and an MLflow server on loopback.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measure import Report, in_turns, ratio, under

METRICS = 1000
_NAMES = 8  # a step
TARGET = 0.05
_START_SECONDS = 120.0


def run(rounds: int, progress: Callable[[str], None]) -> Report:
    rows, data = [], {}
    with TemporaryDirectory(prefix="convoy-bench-") as folder:
        root = Path(folder)
        (root / ".convoy").mkdir()
        store = f"sqlite:///{root / '.convoy' / 'mlflow.db'}"
        for place in ("SQLite", "server"):
            with _place(place, store, root) as uri:
                seconds = _measure(root, uri, rounds, under(place, progress))
            share = ratio(seconds["batches"], seconds["log_metric"])
            data[place] = {**{name: median(times) for name, times in seconds.items()}, "ratio": share}
            rows.append(
                [place, *(f"{median(times):.3f}" for times in seconds.values()), f"{share:.3f}",
                 "met" if share <= TARGET else "MISSED"]
            )  # fmt: skip
    return Report(
        title=f"{METRICS:,} metrics to MLflow; target: {TARGET:.0%} of a log_metric loop",
        columns=["", "batches, s", "log_metric loop, s", "ratio", "verdict"],
        rows=rows,
        notes=[
            f"batches: {METRICS // _NAMES} `metrics` events of a journal with {_NAMES} values each, with the "
            "question what the run has already; each turn is a new run."
        ],
        data=data,
    )


def _measure(root: Path, uri: str, rounds: int, progress: Callable[[str], None]) -> dict[str, list[float]]:
    from convoy.registry import runs
    from convoy.registry.client import connect

    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = uri
    try:
        client = connect(root)
        experiment = runs.experiment_id(client, root, "bench")

        def batches() -> float:
            run_id = client.create_run(experiment).info.run_id
            begun = time.perf_counter()
            runs.MetricSender(client, run_id).send(_events())
            return time.perf_counter() - begun

        def loop() -> float:
            run_id = client.create_run(experiment).info.run_id
            begun = time.perf_counter()
            for event in _events():
                for name, value in event["values"].items():
                    client.log_metric(run_id, name, value, runs.milliseconds(event["t"]), event["step"])
            return time.perf_counter() - begun

        return in_turns({"batches": batches, "log_metric": loop}, rounds, progress)
    finally:
        if before is None:
            del os.environ["MLFLOW_TRACKING_URI"]
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before


def _events() -> list[dict[str, Any]]:
    values = {f"metric_{n}": 0.1 * n for n in range(_NAMES)}
    return [{"event": "metrics", "t": 1.0 + n, "step": n, "values": values} for n in range(METRICS // _NAMES)]


@contextmanager
def _place(name: str, store: str, root: Path) -> Iterator[str]:
    if name == "SQLite":
        yield store
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--workers", "1",
               "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (root / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        _await(f"http://127.0.0.1:{port}", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _await(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError("the MLflow server did not start")
