"""One process that starts the others, sees that they are ready, starts a dead one again, and ends them all.

Everything happens in one thread, the main one: on Linux a child gets SIGTERM when the *thread* that started
it ends (`die_with_parent`), so that a supervisor killed with -9 leaves nothing behind.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from convoy.errors import ResourceError
from convoy.owners import Owner
from convoy.pipeline.server import die_with_parent
from convoy.stack import ports
from convoy.stack.services import Service

_START_SECONDS = 180.0  # a first start makes two databases, and other processes want the cores, too
_GRACE_SECONDS = 20.0
_TICK_SECONDS = 0.2
_WANTED_SECONDS = 3.0  # between two looks at what a service waits for
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_STEADY_SECONDS = 60.0  # of running after which an end counts as the first
_LOG_BYTES = 10 << 20


class Child:
    """A service and its process, if it has one."""

    def __init__(self, service: Service, log: Path) -> None:
        self.service, self.log = service, log
        self.process: subprocess.Popen[bytes] | None = None
        self.owner: Owner | None = None
        self.ready = False
        self.was_ready = False
        self.since = 0.0  # of the present process, or of its end
        self.pause = 0.0  # until the next start
        self.looked = 0.0  # for what it waits for
        self.told = False

    def start(self, folder: Path) -> None:
        from psutil import NoSuchProcess

        _shorten(self.log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.process = subprocess.Popen(
                self.service.command,
                cwd=folder,
                env=dict(self.service.environment),
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is the supervisor's
                preexec_fn=die_with_parent(),  # no threads run
            )
        finally:
            os.close(handle)
        self.ready, self.since = False, time.monotonic()
        try:
            self.owner = Owner.of(self.process.pid)
        except NoSuchProcess:  # ended already
            self.owner = None

    def answers(self) -> bool:
        """Whether this very process does its work: a stranger on its port does not count."""
        assert self.process is not None
        port = self.service.port
        return (not port or any(p == port for _, p in ports.held(self.process.pid))) and self.service.ready()

    def end(self, number: int) -> None:
        """Send a signal: SIGTERM to the process, which ends its own; SIGKILL to all of its group."""
        if self.process is None:
            return
        try:
            if number == signal.SIGKILL:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except ProcessLookupError:
            pass

    def tail(self, lines: int = 8) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class Supervisor:
    """Keeps the services of one stack.

    Args:
        services: in the order of starting.
        folder: in which they run.
        logs: the folder of their logs.
        say: is told, in one line, what happens.
    """

    def __init__(
        self, services: Sequence[Service], folder: Path, logs: Path, say: Callable[[str], None]
    ) -> None:
        self.children = [Child(service, logs / f"{service.name}.log") for service in services]
        self._by_name = {child.service.name: child for child in self.children}
        self._folder, self._say = folder, say

    def start(self) -> None:
        """Start all; return when each is ready, or waits for something that may take days.

        Raises:
            ResourceError: one ended before it was ready, or was not in time; the end of its log is shown.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not all(child.ready or self._waits(child) for child in self.children):
            self.tick(first=True)
            if time.monotonic() > deadline:
                late = next(child for child in self.children if not child.ready)
                raise _failed(late, f"was not ready within {_START_SECONDS:g} s")
            time.sleep(_TICK_SECONDS)

    def run(self, changed: Callable[[], None]) -> None:
        """Look after the services until a signal unwinds the stack.

        Args:
            changed: is called when a service was started, became ready or ended.
        """
        while True:
            if self.tick():
                changed()
            time.sleep(_TICK_SECONDS)

    def tick(self, *, first: bool = False) -> bool:
        """One look at every service; whether anything changed.

        Args:
            first: a service that ends is an error now.

        Raises:
            ResourceError: see `start`.
        """
        looks = [self._look(child, first) for child in self.children]
        return any(looks)

    def stop(self) -> None:
        """End all, last started first: SIGTERM, and SIGKILL for what is left after a while."""
        for child in reversed(self.children):
            child.end(signal.SIGTERM)
            if child.process is not None:
                try:
                    child.process.wait(_GRACE_SECONDS)
                except subprocess.TimeoutExpired:
                    self._say(f"{child.service.name} did not end in {_GRACE_SECONDS:g} s and was killed")
                child.end(signal.SIGKILL)  # and what it left behind
                child.process.wait()

    def ready(self, name: str) -> bool:
        child = self._by_name.get(name)
        return child is not None and child.ready

    def _look(self, child: Child, first: bool) -> bool:
        if child.process is None:
            if not self._may_start(child):
                return False
            child.start(self._folder)
            return True
        code = child.process.poll()
        if code is not None:
            self._ended(child, code, first)
            return True
        if not child.ready and child.answers():
            child.ready = True
            if child.was_ready or not first:
                self._say(f"{child.service.name} is ready{_at(child.service)}")
            child.was_ready = True
            return True
        return False

    def _may_start(self, child: Child) -> bool:
        if not all(self._by_name[name].ready for name in child.service.needs):
            return False
        if time.monotonic() < child.since + child.pause:
            return False
        if child.service.wanted is None or child.was_ready:
            return True
        if time.monotonic() < child.looked + _WANTED_SECONDS and child.looked:
            return False
        condition, told = child.service.wanted
        child.looked = time.monotonic()
        if condition():
            return True
        if not child.told:
            child.told = True
            self._say(f"{child.service.name}: {told}")
        return False

    def _waits(self, child: Child) -> bool:
        """Whether a service was looked at and lacks what it wants."""
        return child.process is None and child.told

    def _ended(self, child: Child, code: int, first: bool) -> None:
        ran = time.monotonic() - child.since
        child.end(signal.SIGKILL)  # what it started must not hold its port
        child.process, child.ready = None, False
        if first:
            raise _failed(child, f"ended with {_told(code)} before it was ready")
        child.pause = _FIRST_PAUSE if ran > _STEADY_SECONDS else min(_LONGEST_PAUSE, 2 * child.pause or 1.0)
        child.since = time.monotonic()
        again = f"it is started again in {child.pause:g} s"
        self._say(f"{child.service.name} ended with {_told(code)}; {again} ({child.log})")


def _failed(child: Child, what: str) -> ResourceError:
    return ResourceError(
        f"{child.service.name} {what}",
        where=f"{child.log}:\n{child.tail()}",
        fix="read its log; `convoy doctor`",
    )


def _told(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _at(service: Service) -> str:
    return f" at {service.address}" if service.address else ""


def _shorten(log: Path) -> None:
    """Keep one earlier log beside the present one."""
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
