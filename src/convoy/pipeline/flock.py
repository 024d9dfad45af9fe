"""Locks of the operating system on files: held by a descriptor, free when its last copy is closed."""

import errno
import fcntl
import os
from pathlib import Path

from convoy.errors import ResourceError


def take(lock: Path) -> int | None:
    """Lock a file; None where another has it.

    Raises:
        ResourceError: this file system has no locks.
    """
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return None
            raise ResourceError(
                f"files cannot be locked here: {error.strerror}",
                where=str(lock),
                fix="keep the project on a file system with locks (NFS: version 4)",
            ) from error
        if same(descriptor, lock):  # and not one that was deleted in between
            return descriptor
        os.close(descriptor)


def taken(lock: Path) -> bool:
    descriptor = take(lock) if lock.is_file() else -1
    if descriptor is None:
        return True
    if descriptor >= 0:
        os.close(descriptor)
    return False


def same(descriptor: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except OSError:
        return False
