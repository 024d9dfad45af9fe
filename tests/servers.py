"""Real servers of other programs, on ports of their own, gone when the block ends."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from convoy.pipeline.server import die_with_parent

SECONDS = 180.0  # for a server to start on a busy machine
POSTGRES = Path("/usr/lib/postgresql")


def until(condition: Callable[[], bool], seconds: float = SECONDS, *, what: str = "") -> None:
    """Wait for something that another process brings about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what or 'it'} did not come true within {seconds:g} s"
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status < 400
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def process(
    command: list[str], log: Path, variables: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that ends with the block."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, **variables}, start_new_session=True, preexec_fn=die_with_parent(),
        )  # fmt: skip
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def mlflow(folder: Path) -> Iterator[str]:
    """An MLflow server on a SQLite database of its own; its address."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    variables = {
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
        "MLFLOW_HOST": "127.0.0.1",
        "MLFLOW_PORT": str(port),
        "MLFLOW_WORKERS": "1",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    log = folder / "mlflow.log"
    with process([sys.executable, "-m", "convoy.stack.mlflow_server"], log, variables) as child:
        until(lambda: child.poll() is not None or answers(f"http://127.0.0.1:{port}/health"), what="MLflow")
        assert child.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}"


def postgres_programs() -> Path | None:
    """The folder of Debian's PostgreSQL programs, the newest, or of those on the path; None without any."""
    for folder in sorted(POSTGRES.glob("*/bin"), key=lambda path: -int(path.parent.name.split(".")[0])):
        if (folder / "initdb").is_file():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@contextmanager
def postgres(log: Path, programs: Path, password: str) -> Iterator[str]:
    """A PostgreSQL on loopback whose user `convoy` needs a password; `HOST:PORT`.

    It refuses to run as root, so root lends it to the user `postgres`, in a folder of its own: pytest closes
    its folders to other users, again at the start of every session.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="convoy-postgres-") as name:
        folder = Path(name)
        secret, data = folder / "password", folder / "data"
        secret.write_text(password)
        as_user: list[str] = []
        if os.geteuid() == 0:
            as_user = ["runuser", "-u", "postgres", "--"]
            shutil.chown(folder, "postgres")
            shutil.chown(secret, "postgres")
        made = subprocess.run(
            [*as_user, str(programs / "initdb"), "-D", str(data), "--auth=scram-sha-256", "--username=convoy",
             f"--pwfile={secret}", "--encoding=UTF8", "--no-sync"],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stdout + made.stderr
        secret.unlink()
        command = [*as_user, str(programs / "postgres"), "-D", str(data), "-p", str(port), "-h", "127.0.0.1",
                   "-k", str(folder), "-c", "fsync=off"]  # fmt: skip
        ready = [str(programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
        with process(command, log, {}) as child:
            until(lambda: child.poll() is not None or _well(ready), what="PostgreSQL")
            assert child.poll() is None, log.read_text()
            yield f"127.0.0.1:{port}"


def _well(command: list[str]) -> bool:
    return subprocess.run(command, check=False).returncode == 0
