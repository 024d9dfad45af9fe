"""A stage ends with those who asked for it: a killed flow or DVC leaves no stage running behind its back."""

import os
import signal
import threading
import time
from typing import Any

from convoy.ending import heard
from convoy.pipeline.repro import FLOW_PID

_SECONDS = 1.0
_GRACE_SECONDS = 30.0  # for a step, or a validation, and the checkpoint behind it


def end_with_callers() -> None:
    """Send this process SIGTERM when the DVC process above it, or the flow that started that one, is gone."""
    callers = _callers()
    if callers:
        threading.Thread(target=_watch, args=(callers,), name="watch-callers", daemon=True).start()


def dvc_above() -> tuple[int, str] | None:
    """Number and command of the DVC process that started this one; None where a person did."""
    above = _up_to_dvc()
    if not above:
        return None
    words = _words(above[-1])
    first = next(n for n, word in enumerate(words) if word.endswith("dvc"))
    return above[-1].pid, " ".join(["dvc", *words[first + 1 :]])


def _callers() -> list[tuple[int, float]]:
    """(pid, start time) of the flow, and of the processes above this one up to DVC's."""
    import psutil

    found = []
    flow = os.environ.get(FLOW_PID)
    if flow and psutil.pid_exists(int(flow)):
        found.append(psutil.Process(int(flow)))
    return [(process.pid, process.create_time()) for process in [*found, *_up_to_dvc()]]


def _up_to_dvc() -> list[Any]:
    """The processes above this one, the nearest first, up to DVC's; none where it is not among them."""
    import psutil

    above = []
    for process in psutil.Process().parents():
        above.append(process)
        if any(part.endswith("dvc") for part in _words(process)[:4]):
            return above
    return []


def _words(process: Any) -> list[str]:
    """Of its command line; one that the process itself has written (`setproctitle`) is in one piece."""
    return " ".join(process.cmdline()).split()


def _watch(callers: list[tuple[int, float]]) -> None:
    import psutil

    while True:
        for pid, started in callers:
            try:
                process = psutil.Process(pid)
                gone = process.create_time() != started or process.status() == psutil.STATUS_ZOMBIE
            except psutil.NoSuchProcess:
                gone = True
            if gone:
                if heard.is_set():  # it ends already, perhaps behind a checkpoint
                    time.sleep(_GRACE_SECONDS)
                os.kill(os.getpid(), signal.SIGTERM)
                return
        time.sleep(_SECONDS)
