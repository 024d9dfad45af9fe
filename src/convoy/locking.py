"""A place that one process has at a time, by a lock file of the operating system: a crash gives it back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Hold the lock file as long as this lasts; False, at once, where another process has it.

    Args:
        path: of the lock file; its folder is made.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
