"""A temporary Prefect server on loopback that cannot outlive the process that started it."""

import ctypes
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
from dataclasses import dataclass
from pathlib import Path

from convoy.errors import ResourceError
from convoy.io import read_json, write_json
from convoy.owners import Owner
from convoy.pipeline import database

_START_SECONDS = 300.0  # eight at once on two cores; one that dies is noticed at once
_STOP_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1
_NOTE = "prefect-server-"


def die_with_parent() -> Callable[[], None] | None:
    """For `preexec_fn`: on Linux, the child gets SIGTERM when this process ends, however it ends."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return arrange


@dataclass(frozen=True)
class Temporary:
    """A server that was started."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def address(self) -> str:
        """Of its API, as soon as it answers.

        Raises:
            ResourceError: it ended or did not answer; its log is named.
        """
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2):  # noqa: S310  # loopback
                    return self.url
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise ResourceError(
            "the temporary Prefect server did not start",
            where=str(self.log),
            fix="read its log; `make clean-state` resets it",
        )

    def check(self) -> None:
        """Raises:
        ResourceError: it has ended, and nobody asked it to.
        """
        code = self.process.poll()
        if code is not None:
            raise ResourceError(
                f"the temporary Prefect server ended in the middle of the run ({_how(code)})",
                where=str(self.log),
                fix="see what ended it (`dmesg`: memory that ran out); `convoy run` goes on where it was",
            )


def _how(code: int) -> str:
    """What a child's return code tells."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


@contextmanager
def temporary_server(log: Path) -> Iterator[Temporary]:
    """Start the server at once, and end it at the end. Its database lies in PREFECT_HOME, which is set."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    log.parent.mkdir(parents=True, exist_ok=True)
    database.lay_out(Path(os.environ["PREFECT_HOME"]))
    command = [sys.executable, "-m", "prefect", "server", "start", "--no-services", "--no-ui",
               "--host", "127.0.0.1", "--port", str(port), "--log-level", "WARNING"]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    # several servers that begin at once on a new database get into each other's way there
    environment.setdefault("PREFECT_API_BLOCKS_REGISTER_ON_START", "false")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
            preexec_fn=die_with_parent(),  # no threads run yet
        )
    note = log.with_name(f"{_NOTE}{process.pid}.json")
    write_json(note, {"server": Owner.of(process.pid).record(), "starter": Owner.of().record()})
    try:
        yield Temporary(process, url, log)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        note.unlink(missing_ok=True)


def orphans(logs: Path, *, act: bool = True) -> list[int]:
    """End temporary servers whose starter is gone, if `act`; their process numbers.

    The system ends them by itself on Linux; elsewhere, and where that signal was lost, they would stay.
    """
    found = []
    for note in logs.glob(f"{_NOTE}*.json"):
        try:
            record = read_json(note)
            server, starter = Owner.read(record["server"]), Owner.read(record["starter"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if server is None or starter is None or not starter.gone:
            continue
        if not server.gone:
            found.append(server.pid)
            if act:
                os.killpg(server.pid, signal.SIGTERM)
        elif act:
            note.unlink(missing_ok=True)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
