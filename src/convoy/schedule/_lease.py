"""Stands in for `convoy.pipeline.lease` until that is merged: the same lock file, the same signature."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from convoy.environment import state_dir
from convoy.errors import ResourceError


@contextmanager
def project(
    root: Path, what: str, *, wait: bool = True, say: Callable[[str], None] = lambda _line: None
) -> Iterator[None]:
    """Have a project to oneself."""
    file = state_dir(root).resolve() / "leases" / "project.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise ResourceError("another run has the project", where=str(file)) from None
        say(f"{what}: waiting for another run of this project")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def descriptors() -> tuple[int, ...]:
    """What a child process is to hold."""
    return ()
