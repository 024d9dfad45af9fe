"""This side of the nursery: one for a process, started when first needed."""

import atexit
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar, Optional

from convoy.data._nursery import LENGTH, Raised, Settings
from convoy.errors import ResourceError

_START = (
    "import json, sys; handle, sys.path[:] = json.loads(sys.argv[1]); "
    "from convoy.data._nursery import main; main(handle)"
)
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Child:
    """A process that the nursery forked."""

    pid: int
    nursery: "Nursery"

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)  # the number is its own until `wait`

    def wait(self) -> int:
        """The return code as of subprocess; it must be ending."""
        try:
            return int(self.nursery.ask(("wait", self.pid)))
        except ResourceError:
            return -signal.SIGKILL  # the nursery is gone, and its children with it


class Nursery:
    """A process that imports and forks; see `convoy.data._nursery`."""

    _one: ClassVar[Optional["Nursery"]] = None
    _starting: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._control, far = socket.socketpair()
        environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
        with far:
            start = json.dumps([far.fileno(), [path or str(Path.cwd()) for path in sys.path]])
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _START, start],
                    stdin=subprocess.DEVNULL,
                    env=environment,
                    pass_fds=(far.fileno(),),
                )
            except OSError as error:
                self._control.close()
                raise ResourceError(f"cannot start a process: {error.strerror}", fix="free memory") from None

    @classmethod
    def of_this_process(cls) -> "Nursery":
        """The one that runs, or a new one."""
        with cls._starting:
            if cls._one is None or cls._one.owner != os.getpid() or cls._one._process.poll() is not None:
                if cls._one is not None and cls._one.owner == os.getpid():
                    cls._one.close()
                cls._one = cls()
                atexit.register(cls._one.close)
            return cls._one

    def fork(self, settings: Settings, paper: int) -> tuple[Child, Connection]:
        """A child, and the line to it.

        Raises:
            ResourceError: the nursery has ended.
            Whatever unpickling `make` raises.
        """
        near, far = socket.socketpair()
        with far:
            answer = self.ask(("fork", settings, str(Path.cwd())), (far.fileno(), paper))
        if isinstance(answer, Raised):
            near.close()
            raise answer.error
        return Child(answer, self), Connection(near.detach())

    def ask(self, request: Any, descriptors: tuple[int, ...] = ()) -> Any:
        """Send a request and wait for its answer.

        Raises:
            ResourceError: the nursery has ended.
        """
        body = pickle.dumps(request)
        with self._lock:
            try:
                socket.send_fds(self._control, [LENGTH.pack(len(body))], descriptors)
                self._control.sendall(body)
                (length,) = LENGTH.unpack(self._exactly(LENGTH.size))
                return pickle.loads(self._exactly(length))  # noqa: S301  # from a process of our own
            except OSError:
                raise ResourceError(
                    "the process that starts workers has ended", fix="run it again; if it stays, free memory"
                ) from None

    def close(self) -> None:
        """End the nursery, and with it its children."""
        self._control.close()
        if self.owner != os.getpid():
            return  # a forked copy of this object
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _exactly(self, length: int) -> bytes:
        body = bytearray()
        while len(body) < length:
            part = self._control.recv(length - len(body))
            if not part:
                raise ConnectionError("closed")
            body += part
        return bytes(body)
