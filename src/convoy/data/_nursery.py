"""The far side of `convoy.data.workers`: the nursery process and the children that it forks.

The nursery does nothing but import and fork: one thread, no work, so forking it is sound. Requests come over
a Unix socket, one at a time, as pickles; file descriptors travel with them.

    ("fork", Settings, cwd) + descriptors of the line and the slip -> pid, or Raised
    ("wait", pid) -> return code as of subprocess: negative for signals
"""

import ctypes
import gc
import mmap
import os
import pickle
import queue
import resource
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

SLIP = struct.Struct("=qq")  # the job and the position in it that a child is at
LENGTH = struct.Struct("=Q")
OUT_OF_MEMORY = 77  # exit code of a child
_CLOCK = 10  # seconds by the clock for one of CPU time
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Settings:
    """What a child works by: `make` pickled, and the limits for an item."""

    make: bytes
    seconds: float | None
    memory_mb: int | None


@dataclass(frozen=True)
class Raised:
    """In the place of a result: what the work raised."""

    error: BaseException

    @classmethod
    def of(cls, error: BaseException) -> "Raised":
        """With the traceback as a note, in a form that can be pickled."""
        text = "".join(traceback.format_exception(error))
        try:
            copy = pickle.loads(pickle.dumps(error))  # noqa: S301  # what was pickled here
        except Exception:  # noqa: BLE001  # foreign errors may fail in any way
            return cls(RuntimeError(f"in a worker process:\n{text}"))
        copy.add_note(f"in a worker process:\n{text}")
        return cls(copy)


def main(handle: int) -> None:
    """Serve requests until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other side decides what Ctrl-C means
    with socket.socket(fileno=handle) as control:
        while (request := _receive(control)) is not None:
            (kind, *rest), descriptors = request
            if kind == "fork":
                settings, cwd = rest
                _send(control, _fork(control, settings, cwd, descriptors))
            else:
                _, status = os.waitpid(rest[0], 0)
                _send(control, os.waitstatus_to_exitcode(status))


def _receive(control: socket.socket) -> tuple[Any, list[int]] | None:
    head, descriptors, _, _ = socket.recv_fds(control, LENGTH.size, 2)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = bytearray()
    while len(body) < length:
        part = control.recv(length - len(body))
        if not part:
            return None
        body += part
    return pickle.loads(body), list(descriptors)  # noqa: S301  # from the process that started this one


def _send(control: socket.socket, answer: Any) -> None:
    body = pickle.dumps(answer)
    control.sendall(LENGTH.pack(len(body)) + body)


def _fork(control: socket.socket, settings: Settings, cwd: str, descriptors: list[int]) -> int | Raised:
    try:
        make = pickle.loads(settings.make)  # noqa: S301  # imports here what all children need
        gc.collect()
        gc.freeze()  # children share these pages
    except BaseException as error:  # noqa: BLE001  # told to the other side
        _close(descriptors)
        return Raised.of(error)
    nursery = os.getpid()
    pid = os.fork()
    if pid:
        _close(descriptors)
        return pid
    try:
        control.close()
        _arrange(nursery, cwd)
        _work(make, settings, *descriptors)
    finally:
        os._exit(1)  # never back into the nursery's loop


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _arrange(nursery: int, cwd: str) -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != nursery:
            os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.chdir(cwd)


def _work(make: Callable[[], Callable[[Any], Any]], settings: Settings, line: int, paper: int) -> NoReturn:
    """Do jobs until the line closes."""
    slip = mmap.mmap(paper, SLIP.size)
    connection = Connection(line)
    jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_fetch, args=(connection, jobs), daemon=True).start()
    try:
        do = make()
        _one_thread()
    except Exception as error:  # noqa: BLE001  # told to the other side with the first job
        failure = Raised.of(error)
        while (job := jobs.get()) is not None:
            connection.send((job[0], [failure] * len(job[1])))
        os._exit(0)
    _limit_memory(settings.memory_mb)
    while (job := jobs.get()) is not None:
        serial, items = job
        results = []
        for position, item in enumerate(items):
            SLIP.pack_into(slip, 0, serial, position)
            _clock(settings.seconds)
            try:
                results.append(do(item))
            except MemoryError:
                os._exit(OUT_OF_MEMORY)
            except Exception as error:  # noqa: BLE001  # told to the other side
                results.append(Raised.of(error))
        _clock(0)
        connection.send((serial, results))
    os._exit(0)


def _fetch(connection: Connection, jobs: "queue.SimpleQueue[Any]") -> None:
    """Takes jobs off the line while the work goes on: neither side ever waits for the other to read."""
    try:
        while True:
            jobs.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)  # the other side is gone


def _clock(seconds: float | None) -> None:
    """Let the system end this process after so much CPU time; 0: no more."""
    if seconds is not None:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, _CLOCK * seconds)


def _limit_memory(megabytes: int | None) -> None:
    if megabytes is None:
        return
    if sys.platform.startswith("linux"):
        status = Path("/proc/self/status").read_text(encoding="ascii")
        now = next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmData:")) << 10
        kind = resource.RLIMIT_DATA
    else:
        now, kind = 0, resource.RLIMIT_AS
    _, most = resource.getrlimit(kind)
    wanted = now + (megabytes << 20)
    resource.setrlimit(kind, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def _one_thread() -> None:
    """Libraries that are imported and do not go by the environment alone."""
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
