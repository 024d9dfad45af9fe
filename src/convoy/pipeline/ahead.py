"""DVC commands of a run, forked from a process that has imported what they need (`convoy.pipeline.warm`).

Where there is none, a command is begun by itself and does the same, later.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import connection
from pathlib import Path
from typing import IO, Any, Protocol

from convoy.pipeline import dvc_command, lease, warm


class Process(Protocol):
    """A command that runs: of `subprocess.Popen` what a run needs."""

    pid: int
    stdout: IO[str] | None
    returncode: int | Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...


class Forked:
    """A command that another process forked. Several threads may wait for it."""

    def __init__(self, pid: int, output: int, code: int) -> None:
        self.pid = pid
        self.stdout: IO[str] | None = os.fdopen(output, encoding="utf-8", errors="replace")
        self.returncode: int | Any = None
        self._code = code  # stays open while somebody may look at it
        self._guard = threading.Lock()
        weakref.finalize(self, os.close, code)

    def poll(self) -> int | None:
        """Its return code, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its return code, negative for a signal.

        Raises:
            subprocess.TimeoutExpired: it still runs after `timeout` seconds.
        """
        if self.returncode is None:
            if not connection.wait([self._code], timeout):
                raise subprocess.TimeoutExpired("dvc", timeout or 0)
            with self._guard:
                if self.returncode is None:
                    # Its own word, else of the process that forked it. None of either: that one is gone, too.
                    said = os.read(self._code, 64).split()
                    self.returncode = int(said[0]) if said else -signal.SIGKILL
        return self.returncode


class _Warm:
    """A process that forks."""

    def __init__(self, root: Path) -> None:
        self._line, theirs = socket.socketpair()
        self.leases = lease.descriptors()
        self._guard = threading.Lock()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "convoy.pipeline.warm", str(theirs.fileno())],
                cwd=root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(theirs.fileno(), *self.leases),
            )

    def fork(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Forked | None:
        """A command; None where the process is gone."""
        (output, its_output), (its_work, work), (code, its_code) = os.pipe(), os.pipe(), os.pipe()
        try:
            with self._guard:
                socket.send_fds(self._line, [b"+"], [its_output, its_work, its_code])
                answer = self._line.recv(warm.PID.size, socket.MSG_WAITALL)
        except OSError:
            answer = b""
        finally:
            for each in (its_output, its_work, its_code):
                os.close(each)
        if len(answer) < warm.PID.size:
            for each in (output, work, code):  # one that was forked all the same reads of no work and ends
                os.close(each)
            return None
        (pid,) = warm.PID.unpack(answer)
        with suppress(BrokenPipeError), os.fdopen(work, "w", encoding="utf-8") as line:  # it was killed
            json.dump({"arguments": list(arguments), "environment": dict(environment)}, line)
        return Forked(pid, output, code)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._line.close()


_guard = threading.Lock()
_warm: dict[Path, _Warm] = {}  # by project


def begin(root: Path) -> None:
    """Begin the process for the next `start`, where there is none; what it inherits is of this moment."""
    if not sys.platform.startswith("linux"):  # elsewhere a fork of so much is not sound
        return
    with _guard:
        if root in _warm and _warm[root].process.poll() is not None:
            _warm.pop(root).end()
        if root not in _warm:
            _warm[root] = _Warm(root)


def drop() -> None:
    """End what `begin` began; commands go on."""
    with _guard:
        for each in _warm.values():
            each.end()
        _warm.clear()


def start(root: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Process:
    """`dvc ARGUMENTS…` in a process group of its own, with stdout and stderr in one pipe."""
    with _guard:
        source = _warm.get(root)
    forked = None
    if source is not None and source.leases == lease.descriptors():
        forked = source.fork(arguments, environment)
    return forked or subprocess.Popen(
        # -P: this folder's modules must not stand before others; a path: the environment may name other code
        [sys.executable, "-P", dvc_command.__file__, "dvc", *arguments],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        pass_fds=lease.descriptors(),
    )
