"""Real MLflow servers that die and come back, and the writer of a journal that goes step by step."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from convoy.training.journal import Event, Journal

SECONDS = 600.0  # what may take long on a busy machine


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    """The first value of `true` that is one."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen in {seconds:g} s")


def at_once(script: str, count: int, root: Path, environment: Mapping[str, str]) -> list[tuple[int, str]]:
    """Exit codes and errors of processes that begin together.

    Args:
        script: Python; says "ready", then reads a line. Its arguments are `root` and its number.
    """
    command = [sys.executable, "-c", script, str(root)]
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(
            [*command, str(n)], cwd=root, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
        for n in range(count)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=SECONDS)[1] for process in started]
    finally:
        for process in started:
            process.kill()
            process.communicate()
    return [(process.returncode, text) for process, text in zip(started, said, strict=True)]


class MlflowServer:
    """`mlflow server` on loopback, on a store that outlives it; its port stays the same."""

    def __init__(self, store: str, folder: Path) -> None:
        self._store = store
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", self._store,
                   "--artifacts-destination", str(self._folder / "artifacts"), "--workers", "1",
                   "--host", "127.0.0.1", "--port", str(self.port)]  # fmt: skip
        clean = {n: v for n, v in os.environ.items() if not n.startswith(("MLFLOW_TRACKING", "PYTEST_"))}
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**clean, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                start_new_session=True,
            )
        wait_until(self._answers, "an answer of the MLflow server")

    def kill(self) -> None:
        """kill -9 to the server and its workers."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """It keeps its connections open and says nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "server.log").read_text()
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


_WRITER = """
import json, sys
from pathlib import Path
from convoy.cli import mirroring
from convoy.training.journal import Journal
journal = Journal(Path(sys.argv[1]))
with journal.writing():
    for line in sys.stdin:
        event = json.loads(line)
        journal.append(**event)
        if event["event"] == "start":
            mirroring.beside(journal.path, experiment="toy")
        print("done", flush=True)
"""


class Writer:
    """A process that keeps a training's journal, event by event as it is told, with the mirror beside it."""

    def __init__(self, root: Path, key: str, uri: str) -> None:
        self.journal = Journal(root / ".convoy" / "runs" / key / "journal.jsonl")
        clean = {n: v for n, v in os.environ.items() if not n.startswith("PYTEST_")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(self.journal.path)],
            cwd=root,
            env={**clean, "MLFLOW_TRACKING_URI": uri},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._tell(event="start", key=key, name=f"run {key}", params={"lr": 0.1}, datasets=[])

    def step(self, number: int) -> None:
        self._tell(event="metrics", step=number, values={"val_loss": 1.0 / (number + 1), "lr": 0.1})

    def finish(self) -> None:
        self._tell(event="end", status="FINISHED", reason="")
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(SECONDS) == 0
        self._close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._close()

    def _tell(self, **event: Any) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(event).encode() + b"\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"done\n"

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()

    @property
    def events(self) -> list[Event]:
        return self.journal.events()


def mirrors_of(journal: Journal) -> list[int]:
    """Process ids of the mirrors of a journal."""
    wanted = ["convoy.registry.mirror", str(journal.path)]
    found = psutil.process_iter(["cmdline", "status"])
    return [
        process.pid
        for process in found
        if (process.info["cmdline"] or [])[2:4] == wanted and process.info["status"] != psutil.STATUS_ZOMBIE
    ]
