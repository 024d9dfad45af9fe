"""The process itself: it imports, and forks when it is asked to."""

import gc
import os
import selectors
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from convoy.pipeline.warm import DESCRIPTORS, PID, commands
from convoy.pipeline.warm.imports import Begun, steps

# What an import does to a GPU's driver would not outlive a fork: there, stages import for themselves.
_GPUS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")


class _Server:
    """Answers requests, and tells of commands that a signal ended.

    Args:
        begun: None: stages are not forked.
    """

    def __init__(self, control: socket.socket, begun: Begun | None) -> None:
        self._control = control
        self._begun = begun
        self._children: dict[int, tuple[int, int]] = {}  # of a process: its number, and where its code goes
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)

    def serve(self, timeout: float | None = None) -> bool:
        """Do what there is to do, or wait for it; False where the other side is gone."""
        for key, _ in self._selector.select(timeout):
            if key.fileobj is not self._control:
                self._ended(key.fd)
            elif not self._answer():
                return False
        return True

    def _answer(self) -> bool:
        word, (*descriptors,), _, _ = socket.recv_fds(self._control, 1, DESCRIPTORS)
        if not word:
            return False
        output, work, code = descriptors
        group, its_group = os.pipe()
        pid = os.fork()
        if not pid:
            os.setsid()
            os.close(its_group)
            os.close(group)
            self._leave_to_child()
            commands.child(partial(commands.command, output, work, code, self._begun))
        for each in (its_group, output, work):
            os.close(each)
        os.read(group, 1)  # until it has its group, which may be sent a signal
        os.close(group)
        process = os.pidfd_open(pid)
        self._children[process] = pid, code
        self._selector.register(process, selectors.EVENT_READ)
        self._control.sendall(PID.pack(pid))
        return True

    def _ended(self, process: int) -> None:
        pid, code = self._children.pop(process)
        self._selector.unregister(process)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with suppress(BrokenPipeError):  # nobody wants to know
            os.write(code, f"{status}\n".encode())
        os.close(process)
        os.close(code)

    def _leave_to_child(self) -> None:
        """What a command must not hold."""
        self._selector.close()
        self._control.close()
        for process, (_, code) in self._children.items():
            os.close(process)
            os.close(code)


def main(handle: int) -> None:
    """Import, and answer requests meanwhile and afterwards, until the other side is gone."""
    begun = Begun.now()
    stages = not any(Path(path).exists() for path in _GPUS)
    with socket.socket(fileno=handle) as control:
        server = _Server(control, begun if stages else None)
        for step in steps(stages):
            if not server.serve(0):
                return
            with suppress(Exception):  # the stage that needs it says what is wrong
                step()
        gc.collect()
        gc.freeze()
        while server.serve():
            pass


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(0)
