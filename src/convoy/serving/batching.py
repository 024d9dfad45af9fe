"""Pictures of concurrent requests go through the network together.

There is no waiting for company and no thread of its own: whoever brings pictures while the network is idle
runs it; what others bring meanwhile makes the next batch. A lone request pays nothing.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Rows = NDArray[np.float64]
LARGEST = 64


class Batcher:
    """Calls `classify` from one thread at a time.

    Args:
        classify: (N, H, W, C) -> (N, classes).
        largest: pictures in a batch; a request that brings more goes through in several.
        seen: is told the size of each batch.
    """

    def __init__(
        self,
        classify: Callable[[Images], Rows],
        *,
        largest: int = LARGEST,
        seen: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._classify = classify
        self._largest = largest
        self._seen = seen
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Images, Future[Rows]]] = deque()
        self._running = False

    def put(self, images: Images, answer: "Future[Rows]") -> None:
        """Have (n, H, W, C) classified; `answer` gets the (n, classes), or the error, here or elsewhere."""
        with self._lock:
            self._waiting.append((images, answer))
            if self._running:
                return
            self._running = True
        while batch := self._take():
            self._run(batch)

    def _take(self) -> list[tuple[Images, "Future[Rows]"]]:
        batch: list[tuple[Images, Future[Rows]]] = []
        size = 0
        with self._lock:
            while self._waiting and (not batch or size + len(self._waiting[0][0]) <= self._largest):
                batch.append(self._waiting.popleft())
                size += len(batch[-1][0])
            self._running = bool(batch)
        return batch

    def _run(self, batch: list[tuple[Images, "Future[Rows]"]]) -> None:
        try:
            images = batch[0][0] if len(batch) == 1 else np.concatenate([images for images, _ in batch])
            parts = [images[first : first + self._largest] for first in range(0, len(images), self._largest)]
            for part in parts:
                self._seen(len(part))
            rows = np.concatenate([self._classify(part) for part in parts])
        except Exception as error:  # noqa: BLE001  # it belongs to those who wait, not to this thread
            for _, answer in batch:
                answer.set_exception(error)
            return
        first = 0
        for images, answer in batch:
            answer.set_result(rows[first : first + len(images)])
            first += len(images)
