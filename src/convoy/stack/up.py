"""A whole stack, from free ports to the last process ended. One for a project: a file lock sees to it."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from convoy.environment import state_dir
from convoy.locking import only_one
from convoy.owners import Owner
from convoy.pipeline.reconcile import reconcile
from convoy.stack import standing
from convoy.stack.services import mlflow_address, prefect_address, services
from convoy.stack.settings import Settings, check
from convoy.stack.standing import Standing
from convoy.stack.supervisor import Supervisor

_LEFTOVER_SECONDS = 10.0

Say = Callable[[str], None]


def alone(root: Path) -> AbstractContextManager[bool]:
    """Hold the project's one place for a stack; False where another process has it."""
    return only_one(state_dir(root) / "stack.lock")


def stand(
    settings: Settings, given: Mapping[str, str], *, serve: bool, say: Say, stands: Callable[[Standing], None]
) -> None:
    """Start the services, say where they are, and look after them until a signal unwinds the stack.

    The caller holds `alone`.

    Args:
        given: the environment, secrets among it.
        serve: whether the champion is to be served.
        say: is told what happens.
        stands: is called once, when all are ready.

    Raises:
        ConfigError: it would be open to others without a password.
        ResourceError: a service did not start.
    """
    check(settings, given, serve=serve)
    end_leftovers(settings.root, say)
    reconcile(settings.root, say=say)
    me = Owner.of()
    supervisor = Supervisor(
        services(settings, given, serve=serve), settings.root, state_dir(settings.root) / "logs", say
    )

    def found() -> Standing:
        addresses = mlflow_address(settings), prefect_address(settings), _serve_address(supervisor)
        return Standing(me, *addresses, settings.backend)

    def tell() -> None:
        running = [(c.service.name, c.owner) for c in supervisor.children if c.process and c.owner]
        standing.write(settings.root, found(), running)

    try:
        supervisor.start()
        tell()
        stands(found())
        supervisor.run(tell)
    finally:
        standing.remove(settings.root)
        supervisor.stop()


def end_leftovers(root: Path, say: Say) -> None:
    """End what a killed supervisor left running; on Linux there is nothing, the system ends it."""
    left = standing.leftovers(root)
    for name, child in left:
        say(f"{name} (process {child.pid}) was left by a stack that was killed; it is ended")
        _signal(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + _LEFTOVER_SECONDS
    while any(not child.gone for _, child in left):
        if time.monotonic() > deadline:
            for _, child in left:
                if not child.gone:
                    _signal(child.pid, signal.SIGKILL)
            break
        time.sleep(0.1)


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _serve_address(supervisor: Supervisor) -> str | None:
    return next(
        (c.service.address for c in supervisor.children if c.service.name == "serve" and c.ready), None
    )
