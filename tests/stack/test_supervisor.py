"""The supervisor with real processes: small ones, so that many ends can be tried."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from convoy.errors import ResourceError
from convoy.stack import supervisor as supervision
from convoy.stack.services import Service
from convoy.stack.supervisor import Supervisor
from tests.servers import free_port, until

# Starts a child of its own, says that it is ready by a file, waits.
SERVER = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open(sys.argv[1] + ".part", "w") as file:
    file.write(str(child.pid))
os.replace(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""
# The same, but it ends its child when it is told to end, as MLflow's server does.
POLITE = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (child.kill(), sys.exit()))\n" + SERVER
# A whole supervisor in a process of its own.
WHOLE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.stack.test_supervisor import POLITE, service
from convoy.stack.supervisor import Supervisor
folder = Path(sys.argv[1])
kept = Supervisor([service(folder, name, POLITE) for name in ("one", "two")], folder, folder, print)
kept.start()
print(*(child.process.pid for child in kept.children), flush=True)
kept.run(lambda: None)
"""

Start = Callable[..., tuple[Supervisor, list[str]]]


def service(folder: Path, name: str, code: str = SERVER) -> Service:
    mark = folder / f"{name}.ready"
    return Service(name, (sys.executable, "-c", code, str(mark)), {**os.environ}, mark.exists)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def pid_of(kept: Supervisor) -> int:
    process = kept.children[0].process
    assert process is not None
    return process.pid


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start services and stop them at the end; also gives what was said."""
    made: list[Supervisor] = []

    def begin(*services: Service) -> tuple[Supervisor, list[str]]:
        said: list[str] = []
        made.append(Supervisor(services, tmp_path, tmp_path / "logs", said.append))
        made[-1].start()
        return made[-1], said

    yield begin
    for each in made:
        each.stop()


def test_a_service_starts_when_what_it_needs_is_ready(start: Start, tmp_path: Path) -> None:
    second = replace(service(tmp_path, "second"), needs=("first",))
    kept, _ = start(second, service(tmp_path, "first"))
    assert kept.ready("first")
    assert kept.ready("second")
    assert (tmp_path / "first.ready").stat().st_mtime_ns <= (tmp_path / "second.ready").stat().st_mtime_ns


def test_stopping_ends_what_the_services_started_too(start: Start, tmp_path: Path) -> None:
    kept, _ = start(service(tmp_path, "one"))
    grandchild, child = int((tmp_path / "one.ready").read_text()), pid_of(kept)
    kept.stop()
    until(lambda: gone(grandchild), what="its end")
    assert gone(child)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_service_that_dies_is_started_again_and_said(start: Start, tmp_path: Path, number: int) -> None:
    kept, said = start(service(tmp_path, "one"))
    first = pid_of(kept)
    os.kill(first, number)

    def again() -> bool:
        kept.tick()
        return kept.ready("one") and pid_of(kept) != first

    until(again, what="another process")
    assert f"one ended with {signal.Signals(number).name}" in said[0]
    assert "one is ready" in said[1]


def test_one_that_keeps_dying_is_started_ever_more_rarely(start: Start, tmp_path: Path) -> None:
    kept, _ = start(service(tmp_path, "one"))
    (child,) = kept.children
    pauses = []
    for _ in range(9):
        until(lambda: (kept.tick(), child.process is not None)[1], what="a start")
        os.kill(pid_of(kept), signal.SIGKILL)
        until(lambda: (kept.tick(), child.process is None)[1], what="its end")
        pauses.append(child.pause)
        child.since -= child.pause  # the time passes
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_one_that_cannot_start_ends_the_command_with_its_log(start: Start, tmp_path: Path) -> None:
    bad = service(tmp_path, "bad", "print('the reason'); raise SystemExit(3)")
    with pytest.raises(ResourceError, match="bad ended with exit code 3") as caught:
        start(service(tmp_path, "good"), bad)
    assert "the reason" in str(caught.value)


def test_one_that_is_never_ready_ends_the_command(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_START_SECONDS", 0.5)
    with pytest.raises(ResourceError, match=r"late was not ready within 0\.5 s"):
        start(service(tmp_path, "late", "import time; time.sleep(600)"))


def test_a_stranger_that_answers_on_the_port_is_not_taken_for_it(tmp_path: Path) -> None:
    port = free_port()
    listen = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(600)"
    kept = Supervisor([replace(service(tmp_path, "one"), port=port)], tmp_path, tmp_path, print)
    with subprocess.Popen([sys.executable, "-c", listen]) as stranger:
        try:
            until(lambda: bool(supervision.ports.held(stranger.pid)), what="the stranger")
            until(lambda: (kept.tick(), (tmp_path / "one.ready").exists())[1], what="an answer")
            kept.tick()
            assert not kept.ready("one")
        finally:
            kept.stop()
            stranger.kill()


def test_a_service_waits_for_what_it_wants_and_the_others_do_not(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_WANTED_SECONDS", 0.0)
    wanted = tmp_path / "champion"
    waiting = replace(service(tmp_path, "serve"), wanted=(wanted.exists, "no champion yet"))
    kept, said = start(service(tmp_path, "one"), waiting)
    assert kept.ready("one")
    assert not kept.ready("serve")
    assert said == ["serve: no champion yet"]
    wanted.touch()
    until(lambda: (kept.tick(), kept.ready("serve"))[1], what="the service")
    assert said[1:] == ["serve is ready"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system ends orphans on Linux alone")
def test_a_supervisor_that_is_killed_leaves_nothing_running(tmp_path: Path, repository: Path) -> None:
    command = [sys.executable, "-c", WHOLE, str(tmp_path), str(repository)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        process.kill()
    assert len(pids) == 2
    pids += [int((tmp_path / f"{name}.ready").read_text()) for name in ("one", "two")]  # what these started
    until(lambda: all(map(gone, pids)), what="the end of the services")


def test_a_log_is_the_users_alone_and_does_not_grow_for_ever(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "_LOG_BYTES", 10)
    log = tmp_path / "logs" / "one.log"
    log.parent.mkdir()
    log.write_text("a line of before\n")
    start(service(tmp_path, "one"))
    assert log.with_suffix(".log.1").read_text() == "a line of before\n"
    assert log.stat().st_mode & 0o777 == 0o600
