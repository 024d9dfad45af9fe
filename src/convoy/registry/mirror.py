"""The process beside a training that sends its journal to MLflow as it grows.

    python -m convoy.registry.mirror JOURNAL --parent PID [--experiment NAME]

Training never waits for it and never notices it: whatever goes wrong here is a line in
`.convoy/logs/mirror.log`, and the journal is sent later by `tracking.sync`. It runs in the project's root and
ends after the journal's `end` event, or with status KILLED when the parent is gone and has written none.
"""

import argparse
import logging
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from convoy import environment
from convoy.layout import STATE
from convoy.owners import Owner
from convoy.registry import runs
from convoy.registry.client import connect
from convoy.training import journal

POLL_SECONDS = 0.25
_SYSTEM_SECONDS = 5.0  # between two samples of the machine
_RETRY_SECONDS = (1.0, 2.0, 5.0)  # after a failure to send; then training goes on unmirrored
_OTHER_MIRROR_SECONDS = 30.0

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
        try:
            state = self.path.stat()
        except OSError:
            return False
        seen = (state.st_ino, state.st_size, state.st_mtime_ns)
        if seen == self._seen:
            return False
        self._seen = seen
        self.events = list(journal.read(self.path))
        return True

    @property
    def start(self) -> journal.Event | None:
        return next((event for event in self.events if event["event"] == "start"), None)

    @property
    def end(self) -> journal.Event | None:
        last = self.events[-1] if self.events else None
        return last if last and last["event"] == "end" and last["t"] >= self.since else None


def mirror(path: Path, parent: int, experiment: str | None, root: Path) -> str:
    """Follow one journal to its end; the status that the run got.

    Raises:
        Exception: of any kind that MLflow and the network have; `main` logs it.
    """
    watched, owner = _process(parent), Owner.find(parent)
    tail = Tail(path, since=watched.create_time() if watched else time.time())
    tail.grew()
    while tail.start is None:
        if not _alive(watched):
            return "KILLED"
        time.sleep(POLL_SECONDS)
        tail.grew()
    client = connect(root)
    start = tail.start
    run_id = runs.find_or_create(client, root, experiment or start.get("experiment", "convoy"), start)
    if owner is not None:  # before it counts as running: a later process judges it by this
        client.set_tag(run_id, runs.PROCESS_TAG, str(owner))
    client.update_run(run_id, status="RUNNING")
    sender = runs.MetricSender(client, run_id)
    machine = _system_metrics(run_id)
    try:
        status, moment = _follow(tail, sender, watched)
    finally:
        machine.finish()
    client.set_terminated(run_id, status, end_time=runs.milliseconds(moment))
    return status


def _follow(tail: Tail, sender: runs.MetricSender, watched: Any) -> tuple[str, float]:
    """Send what the journal gains until it ends; (status, time of the end)."""
    _send(sender, tail.events)
    while tail.end is None:
        alive = _alive(watched)  # before the read: what it wrote last is seen below
        if tail.grew():
            _send(sender, tail.events)
        elif not alive:
            return "KILLED", time.time()
        else:
            time.sleep(POLL_SECONDS)
    return str(tail.end["status"]), float(tail.end["t"])


def _send(sender: runs.MetricSender, events: Sequence[journal.Event]) -> None:
    for pause in (*_RETRY_SECONDS, None):
        try:
            sender.send(events)
        except Exception as error:
            if pause is None:
                raise
            _log.warning("sending failed, tried again in %g s: %s", pause, error)
            time.sleep(pause)
        else:
            return


def _system_metrics(run_id: str) -> Any:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    build: Any = SystemMetricsMonitor  # MLflow is half typed
    monitor = build(run_id, sampling_interval=_SYSTEM_SECONDS, resume_logging=True)
    monitor.start()
    return monitor


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
    parser.add_argument("--experiment", help="MLflow experiment (default: the journal's)")
    options = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it outlives the training, to tell how that ended
    root = Path.cwd()
    environment.apply(root)
    handler = _log_file(root / STATE / "logs" / "mirror.log")
    try:
        with FileLock(options.journal.with_suffix(".lock"), timeout=_OTHER_MIRROR_SECONDS):
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
