"""Errors of the operating system as convoy's own."""

import errno
from pathlib import Path

from convoy.errors import ConvoyError, DataError, ResourceError


def as_convoy(error: ConvoyError | OSError) -> ConvoyError | None:
    """What a user can do about an error; None where that is not known."""
    if isinstance(error, ConvoyError):
        return error
    where = str(error.filename or Path.cwd())
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = str(error.filename2 or where)  # of a copy, the side that is written
        return ResourceError("the disk is full", where=where, fix="free some space; nothing partial was kept")
    if error.errno == errno.EIO:
        return ResourceError(
            "the disk reports an input/output error",
            where=where,
            fix="look at the disk (`dmesg`), then run it again; nothing partial was kept",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ResourceError(f"no permission: {error.strerror}", where=where, fix="check owner and mode")
    if isinstance(error, FileNotFoundError):
        return DataError(
            "a file that is needed is missing",
            where=where,
            fix="`convoy run` or `dvc repro` makes what a stage needs from the stages before it",
        )
    return None
