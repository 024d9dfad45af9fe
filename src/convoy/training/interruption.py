"""SIGTERM and SIGINT while training: the step is finished and a checkpoint written before the end."""

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

from convoy.ending import heard

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """Takes note of a signal for as long as the block runs; a second one acts as it did before.

    Attributes:
        number: of the signal that came; 0: none.
    """

    def __init__(self) -> None:
        self.number = 0
        self._at = 0.0
        self._before: dict[int, Any] = {}

    @property
    def seconds(self) -> float:
        """Since the signal."""
        return time.monotonic() - self._at if self.number else 0.0

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in _SIGNALS}
            self.listen()
        return self

    def listen(self) -> None:
        """Put our handlers in place (again: Lightning adds its own, which would end the process first)."""
        if not self.number:
            for number in self._before:
                signal.signal(number, self._note)

    def hear(self, number: int) -> None:
        """Of a signal that came to another rank; one's own is never forgotten."""
        if number and not self.number:
            self.number, self._at = number, time.monotonic()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.hear(number)
        heard.set()
        for other, handler in self._before.items():
            signal.signal(other, handler)

    def end(self) -> None:
        """Raises:
        SystemExit: with 128 + the signal, where one came.
        """
        if self.number:
            raise SystemExit(128 + self.number)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None:
            self.end()
