"""A DVC process begun ahead of its work: while one stage runs, the next one's DVC is imported.

That takes most of a second, and one core of two is mostly idle between stages. What was begun and is not
needed ends with this process: its stdin does.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from convoy.pipeline import dvc_command, lease

Process = subprocess.Popen[str]

_LATER = "later"
_guard = threading.Lock()
_waiting: dict[Path, Process] = {}  # project -> the process that waits for arguments there


def begin(root: Path) -> None:
    """Begin a process for the next `start`, where none waits; what it inherits is of this moment."""
    if not sys.platform.startswith("linux"):  # elsewhere it could not show what it is
        return
    with _guard:
        if root not in _waiting or _waiting[root].poll() is not None:
            _waiting[root] = _open(root, [_LATER], os.environ)


def drop() -> None:
    """End what waits."""
    with _guard:
        for process in _waiting.values():
            _end(process)
        _waiting.clear()


def start(root: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Process:
    """`dvc ARGUMENTS…` in a process group of its own, with stdout and stderr in one pipe."""
    with _guard:
        process = _waiting.pop(root, None)
    if process is not None:
        assert process.stdin is not None
        told = json.dumps({"arguments": list(arguments), "environment": dict(environment)})
        with suppress(OSError):  # it has ended
            process.stdin.write(f"{told}\n")
            process.stdin.close()
        process.stdin = None  # as where it is begun now
        if process.poll() is None:
            return process
        _end(process)
    return _open(root, ["dvc", *arguments], environment)


def _open(root: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Process:
    return subprocess.Popen(
        # -P: this folder's modules must not stand before others; a path: the environment may name other code
        [sys.executable, "-P", dvc_command.__file__, *arguments],
        cwd=root,
        env=environment,
        stdin=subprocess.PIPE if arguments == [_LATER] else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        pass_fds=lease.descriptors(),
    )


def _end(process: Process) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    process.wait()
