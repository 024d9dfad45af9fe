"""The MLflow mirror of a training: a process of its own, started again where something kills it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0


def beside(journal: Path, *, experiment: str) -> None:
    """Start the mirror of this process's training, which it outlives until it has told the end."""
    command = [
        sys.executable, "-m", "convoy.registry.mirror", str(journal), "--parent", str(os.getpid()),
        "--experiment", experiment,
    ]  # fmt: skip
    threading.Thread(target=_keep_up, args=(command,), name="keep-mirror", daemon=True).start()


def _keep_up(command: list[str]) -> None:
    """It ends with 0 whatever happens to it; with anything else, it was killed."""
    pause = _FIRST_PAUSE_SECONDS
    nothing = subprocess.DEVNULL
    while True:
        process = subprocess.Popen(
            command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
        )
        if process.wait() == 0:
            return
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
