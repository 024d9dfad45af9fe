"""The process beside a training that sends its journal to MLflow as it grows.

    python -m convoy.registry.mirror JOURNAL --parent PID --experiment NAME

Training never waits for it and never notices it: whatever goes wrong here is a line in
`.convoy/logs/mirror.log`, and what it could not send `tracking.sync` sends later. It runs in the project's
root and ends after the journal's `end` event, or with status KILLED when the parent is gone and has written
none.
"""

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from convoy import environment
from convoy.layout import STATE
from convoy.owners import Owner
from convoy.registry import outbox, runs
from convoy.registry.client import connect, tracking_uri
from convoy.training import journal

POLL_SECONDS = 0.25
_SYSTEM_SECONDS = 5.0  # between two samples of the machine
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0  # after a failure to send; doubled each time
_OTHER_MIRROR_SECONDS = 5.0  # between two looks whether the training is still there

_log = logging.getLogger("convoy.mirror")


@dataclass
class Tail:
    """A journal that another process appends to, or replaces when it resumes a killed training.

    Attributes:
        since: an `end` event older than this belongs to an earlier attempt and is no end.
    """

    path: Path
    since: float
    events: list[journal.Event] = field(default_factory=list)
    _seen: tuple[int, int, int] | None = None

    def grew(self) -> bool:
        """Read the journal again if it changed."""
        seen = self._state()
        if seen is None or seen == self._seen:
            return False
        self._seen = seen
        self.events = list(journal.read(self.path))
        return True

    def changed(self) -> bool:
        """Whether there is something that `grew` would read."""
        return self._state() not in (None, self._seen)

    def _state(self) -> tuple[int, int, int] | None:
        try:
            state = self.path.stat()
        except OSError:
            return None
        return state.st_ino, state.st_size, state.st_mtime_ns

    @property
    def start(self) -> journal.Event | None:
        return next((event for event in self.events if event["event"] == "start"), None)

    @property
    def end(self) -> journal.Event | None:
        last = self.events[-1] if self.events else None
        return last if last and last["event"] == "end" and last["t"] >= self.since else None


def mirror(path: Path, parent: int, experiment: str, root: Path) -> str:
    """Follow one journal to its end; the status that the run got.

    A server that is away is tried again, ever more seldom, as long as the training lives; at its end once
    more. `RUNNING`: another process has taken the training up.

    Raises:
        Exception: of any kind that MLflow and the network have: the server was away at the end. `main` logs
            it, and `tracking.sync` sends what is missing.
    """
    watched, owner = _process(parent), Owner.find(parent)
    tail = Tail(path, since=watched.create_time() if watched else 0.0)  # it may be over already
    tail.grew()
    while tail.start is None:
        if not _alive(watched):
            return "KILLED"
        time.sleep(POLL_SECONDS)
        tail.grew()
    origin = outbox.record_origin(path, root, experiment)
    uri = tracking_uri(root)
    with _Link(root, tail.start, origin, owner) as link:
        return _follow(tail, link, watched, uri)


def _follow(tail: Tail, link: "_Link", watched: Any, uri: str) -> str:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        alive = _alive(watched)  # before the read: what it wrote last is seen below
        tail.grew()
        status = tail.end["status"] if tail.end else "KILLED" if not alive else None
        if status == "KILLED" and tail.end is None and not journal.Journal(tail.path).close_abandoned():
            return "RUNNING"
        tail.grew()
        try:
            link.send(tail.events)
            if status is not None:
                run_id = link.end(status, tail.events[-1]["t"])
                outbox.mark_sent(tail.path, uri, run_id)
                return str(status)
        except Exception as error:
            link.drop()
            if status is not None:
                raise
            _log.warning("sending failed, tried again in %g s: %s", pause, " ".join(str(error).split())[:300])
            _wait(tail, watched, pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        else:
            pause = _FIRST_PAUSE_SECONDS
            while _alive(watched) and not tail.changed():
                time.sleep(POLL_SECONDS)


def _wait(tail: Tail, watched: Any, seconds: float) -> None:
    """Wait, but not past the end of the training."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and _alive(watched):
        time.sleep(POLL_SECONDS)
        tail.grew()
        if tail.end is not None:
            return


class _Link:
    """The way to one run of MLflow; found anew after a failure, as only the server knows what reached it."""

    def __init__(self, root: Path, start: journal.Event, origin: outbox.Origin, owner: Owner | None) -> None:
        self._root = root
        self._start = start
        self._origin = origin
        self._owner = owner
        self._client: Any = None
        self._run_id = ""
        self._sender: runs.MetricSender | None = None
        self._machine: Any = None

    def __enter__(self) -> "_Link":
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    def send(self, events: Sequence[journal.Event]) -> None:
        if self._sender is None:
            self._sender = self._open()
        self._sender.send(events)
        if self._machine is None or not _sampling():
            self._machine = _system_metrics(self._run_id)

    def end(self, status: str, moment: float) -> str:
        """Tell how the training ended; the id of its run."""
        self._finish_machine()
        self._client.set_terminated(self._run_id, status, end_time=runs.milliseconds(moment))
        return self._run_id

    def drop(self) -> None:
        self._sender = None
        self._finish_machine()

    def _open(self) -> runs.MetricSender:
        self._client = connect(self._root)
        self._run_id = runs.find_or_create(
            self._client, self._root, self._origin.experiment, self._start, origin=self._origin.tags
        )
        if self._owner is not None:  # before it counts as running: a later process judges it by this
            self._client.set_tag(self._run_id, runs.PROCESS_TAG, str(self._owner))
        self._client.update_run(self._run_id, status="RUNNING")
        return runs.MetricSender(self._client, self._run_id)

    def _finish_machine(self) -> None:
        machine, self._machine = self._machine, None
        if machine is not None:
            machine.finish()


def _system_metrics(run_id: str) -> Any:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    build: Any = SystemMetricsMonitor  # MLflow is half typed
    monitor = build(run_id, sampling_interval=_SYSTEM_SECONDS, resume_logging=True)
    monitor.start()
    return monitor


def _sampling() -> bool:
    """Whether MLflow's thread lives: it ends for good when the server is away for a moment."""
    return any(thread.name == "SystemMetricsMonitor" for thread in threading.enumerate())


def _process(pid: int) -> Any | None:
    import psutil

    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _alive(process: Any | None) -> bool:
    import psutil

    try:
        return process is not None and process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mirror; always 0: its failure is not the training's."""
    parser = argparse.ArgumentParser(prog="python -m convoy.registry.mirror")
    parser.add_argument("journal", type=Path)
    parser.add_argument("--parent", type=int, required=True, help="process id of the training")
    parser.add_argument("--experiment", required=True, help="of MLflow")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it outlives the training, to tell how that ended
    root = Path.cwd()
    environment.apply(root)
    handler = _log_file(root / STATE / "logs" / "mirror.log")
    try:
        with _alone(options.journal, options.parent):
            status = mirror(options.journal, options.parent, options.experiment, root)
        _log.info("%s: %s", options.journal, status)
    except Timeout:
        _log.warning("%s: another mirror holds it", options.journal)
    except Exception as error:  # noqa: BLE001  # whatever it is, training must not notice
        _log.exception("%s: not mirrored, replayed by `convoy track sync`: %s", options.journal, error)
    finally:
        _log.removeHandler(handler)
        handler.close()
    return 0


@contextmanager
def _alone(path: Path, parent: int) -> Iterator[None]:
    """Wait for an earlier mirror of the same journal, as long as the training lives.

    Raises:
        Timeout: that one outlived the training.
    """
    lock = FileLock(path.with_suffix(".lock"), timeout=_OTHER_MIRROR_SECONDS)
    watched = _process(parent)
    while True:
        try:
            lock.acquire()
            break
        except Timeout:
            if not _alive(watched):
                raise
    try:
        yield
    finally:
        lock.release()


def _log_file(path: Path) -> logging.Handler:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
    return handler


if __name__ == "__main__":
    sys.exit(main())
