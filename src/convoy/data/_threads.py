"""Work over many samples in threads: in chunks, a bounded number under way at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_CHUNK = 64


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_chunks(
    work: Callable[[range], T], length: int, chunk: int = _CHUNK, workers: int | None = None
) -> Iterator[T]:
    """`work(range)` for consecutive ranges that cover 0..length, results in order.

    At most twice as many chunks as workers (None: cores) are under way. The first error stops the rest and is
    raised here.
    """
    workers = workers or cores()
    with ThreadPoolExecutor(workers, thread_name_prefix="samples") as pool:
        pending: deque[Future[T]] = deque()
        try:
            for start in range(0, length, chunk):
                if len(pending) >= 2 * workers:
                    yield pending.popleft().result()
                pending.append(pool.submit(work, range(start, min(start + chunk, length))))
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
