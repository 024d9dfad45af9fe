"""Arrays written through a mapping: their blocks are on the disk before the first write.

A write into a mapped file that finds no block, because the disk is full, ends the process with SIGBUS.
"""

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np

_BLOCK = 1 << 20  # bytes written at a time


def allocate(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.memmap[Any, Any]:
    """A new .npy file, mapped for writing.

    Raises:
        OSError: there is not enough space.
    """
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    path.unlink(missing_ok=True)  # never through a link into a cache
    with path.open("wb") as handle:
        np.lib.format.write_array_header_1_0(handle, header)
        handle.flush()
        reserve(handle.fileno(), handle.tell(), int(np.prod(shape)) * dtype.itemsize)
    return np.lib.format.open_memmap(path, mode="r+")


def reserve(handle: int, offset: int, size: int) -> None:
    """Take the blocks of a file on the disk before they are written.

    Raises:
        OSError: there is not enough space.
    """
    if size == 0:
        return
    try:
        os.posix_fallocate(handle, offset, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        block = bytes(_BLOCK)
        for at in range(0, size, len(block)):  # a file system without reservation: write the zeros
            os.pwrite(handle, block[: size - at], offset + at)
