"""Silence for libraries in C that write to the standard error by themselves."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def decoders_quiet() -> Iterator[None]:
    """While the block runs, what libtiff and libpng say about damaged files goes nowhere.

    The whole process is quiet meanwhile: for stages, not for servers. Errors are raised all the same.
    """
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
