"""Samples of concurrent requests go through the network together.

There is no waiting for company and no thread of its own: whoever brings some while the network is idle
runs it; what others bring meanwhile makes the next batch. A lone request pays nothing.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]  # as the network takes them
Rows = NDArray[np.float64]
LARGEST = 64


class Batcher:
    """Calls `classify` from one thread at a time.

    Args:
        classify: N samples -> (N, classes).
        join: batches -> one.
        largest: samples in a batch; a request that brings more goes through in several.
        seen: is told the size of each batch.
    """

    def __init__(
        self,
        classify: Callable[[Samples], Rows],
        *,
        join: Callable[[Sequence[Samples]], Samples] = np.concatenate,
        largest: int = LARGEST,
        seen: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._classify = classify
        self._join = join
        self._largest = largest
        self._seen = seen
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Samples, Future[Rows]]] = deque()
        self._running = False

    def put(self, samples: Samples, answer: "Future[Rows]") -> None:
        """Have n samples classified; `answer` gets the (n, classes), or the error, here or elsewhere."""
        with self._lock:
            self._waiting.append((samples, answer))
            if self._running:
                return
            self._running = True
        while batch := self._take():
            self._run(batch)

    def _take(self) -> list[tuple[Samples, "Future[Rows]"]]:
        batch: list[tuple[Samples, Future[Rows]]] = []
        size = 0
        with self._lock:
            while self._waiting and (not batch or size + len(self._waiting[0][0]) <= self._largest):
                batch.append(self._waiting.popleft())
                size += len(batch[-1][0])
            self._running = bool(batch)
        return batch

    def _run(self, batch: list[tuple[Samples, "Future[Rows]"]]) -> None:
        try:
            samples = batch[0][0] if len(batch) == 1 else self._join([samples for samples, _ in batch])
            parts = [
                samples[first : first + self._largest] for first in range(0, len(samples), self._largest)
            ]
            for part in parts:
                self._seen(len(part))
            rows = np.concatenate([self._classify(part) for part in parts])
        except Exception as error:  # noqa: BLE001  # it belongs to those who wait, not to this thread
            for _, answer in batch:
                answer.set_exception(error)
            return
        first = 0
        for samples, answer in batch:
            answer.set_result(rows[first : first + len(samples)])
            first += len(samples)
