"""The stack of servers that stands for a project: `convoy up` says in .convoy/stack.json where it is."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path

from convoy.layout import STATE

FILE = STATE / "stack.json"

_CLOCK_STEP = 2.0  # seconds by which a process's time of creation may shift when the clock is set


@dataclass(frozen=True)
class Standing:
    """The stack that a living `convoy up` keeps.

    Attributes:
        pid: of the supervisor.
        create_time: of that process, seconds since the epoch.
        mlflow: what MLFLOW_TRACKING_URI takes.
        prefect: what PREFECT_API_URL takes.
        serve: where the champion is served; None while nothing is.
        backend: sqlite or postgresql.
    """

    pid: int
    create_time: float
    mlflow: str
    prefect: str
    serve: str | None
    backend: str

    @property
    def prefect_ui(self) -> str:
        return self.prefect.removesuffix("/api")


def find(root: Path) -> Standing | None:
    """The stack of this project if its supervisor lives; else None. One look at a file where there is none.

    Args:
        root: of the project.
    """
    try:
        known = json.loads((root / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    try:
        if known["host"] != socket.gethostname() or not lives(known["pid"], known["create_time"]):
            return None
        return Standing(**{name: known[name] for name in Standing.__dataclass_fields__})
    except (KeyError, TypeError):
        return None


def lives(pid: int, create_time: float) -> bool:
    """Whether the process that was created then still runs; another one of the same number does not count."""
    try:
        import psutil
    except ModuleNotFoundError:  # an installation that only predicts keeps no stack
        return False
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - create_time) < _CLOCK_STEP
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
