"""Work over many items in child processes that may hang, crash or run out of memory.

    for result in workers.run(partial(opener, data), paths, seconds=10, memory_mb=2048):
        ...  # results in the items' order; `Died` in the place of one that did not end

`make` (here `partial(opener, data)`) is pickled, called once in each child and returns the function that does
one item; what it opens stays open between items. The first run of a process starts a nursery, which imports
what `make` needs (about a second); children are forked from it in milliseconds, also those that take the
place of one that died. Numerical libraries use one thread in a child, and what it writes to the standard
error goes nowhere.

    seconds     CPU time of one item, so that a busy machine changes no result; ten times as much by the clock
    memory_mb   what a child may add to its data segment (RLIMIT_DATA) beyond what it had after `make`

An item that breaks a limit or kills its child is known by itself: the child notes which one it is at. The
others of its chunk are done again in a new child. A crash must happen twice to count (the system may have
killed the child for something else).

No child outlives this process, however it ends: the nursery ends when its socket closes, the children with
the nursery.
"""

import mmap
import pickle
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Literal, TypeVar

from convoy.data import _nursery
from convoy.data._nursery_client import Child, Nursery
from convoy.data._threads import cores
from convoy.errors import ResourceError

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 2  # jobs that a child has at a time, so that it need not wait for the next one
_WINDOW = 4  # chunks under way and not yet handed out, by process


@dataclass(frozen=True)
class Died:
    """In the place of a result: the item broke a limit or killed its process.

    Attributes:
        reason: time, memory or crash.
        detail: in words; the same on every machine.
    """

    reason: Literal["time", "memory", "crash"]
    detail: str


def run(
    make: Callable[[], Callable[[Item], Result]],
    items: Sequence[Item],
    *,
    processes: int | None = None,
    seconds: float | None = None,
    memory_mb: int | None = None,
    chunk: int = 64,
) -> Iterator[Result | Died]:
    """`make()(item)` for every item, in order.

    Args:
        make: picklable, of a module that a child can import.
        items: picklable; a bounded number of them is under way.
        processes: default: the cores that this process may use; never more than there are chunks.
        seconds: CPU time that one item may take.
        memory_mb: memory that one item may take.
        chunk: items that travel together.

    Raises:
        ResourceError: children cannot be started.
        Whatever `make` or the work raises, MemoryError apart, at that item's place.
    """
    if not items:
        return
    chunks = -(-len(items) // chunk)
    count = max(1, min(processes or cores(), chunks))
    settings = _nursery.Settings(pickle.dumps(make), seconds, memory_mb)
    crew = _Crew(Nursery.of_this_process(), settings, count)
    try:
        yield from _in_order(crew, items, chunk, chunks, _WINDOW * count)
    finally:
        crew.close()


@dataclass
class _Job(Generic[Item]):
    """Consecutive items: the first is number `start`. `again`: it killed a child before."""

    start: int
    items: Sequence[Item]
    again: bool = False


@dataclass
class _Hand:
    """A child at work: its line, the slip on which it notes where it is, and what it was given."""

    child: Child
    line: Connection
    slip: mmap.mmap
    jobs: deque[tuple[int, _Job[Any]]] = field(default_factory=deque)

    def close(self) -> None:
        self.line.close()
        self.slip.close()


def _in_order(crew: "_Crew", items: Sequence[Item], chunk: int, chunks: int, window: int) -> Iterator[Any]:
    results: dict[int, Any] = {}
    given = 0
    for turn in range(chunks):
        wanted = range(turn * chunk, min((turn + 1) * chunk, len(items)))
        missing = len(wanted) - sum(number in results for number in wanted)
        while missing:
            while given < min(chunks, turn + window):
                crew.queue.append(_Job(given * chunk, items[given * chunk : (given + 1) * chunk]))
                given += 1
            for number, result in crew.work():
                results[number] = result
                missing -= number in wanted
        for number in wanted:
            result = results.pop(number)
            if isinstance(result, _nursery.Raised):
                raise result.error
            yield result


class _Crew:
    """The children, and the jobs that none of them has yet."""

    def __init__(self, nursery: Nursery, settings: "_nursery.Settings", count: int) -> None:
        self.queue: deque[_Job[Any]] = deque()
        self._nursery = nursery
        self._settings = settings
        self._count = count
        self._serial = 0
        self._hands: list[_Hand] = []

    def work(self) -> list[tuple[int, Any]]:
        """Give out jobs, wait until a child answers or dies, return what is done: (item's number, result)."""
        while len(self._hands) < self._count and len(self.queue) > 0:
            self._hands.append(self._hire())
            self._give()
        self._give()
        done: list[tuple[int, Any]] = []
        by_line = {hand.line: hand for hand in self._hands}
        for line in wait(list(by_line)):
            hand = by_line[line]  # type: ignore[index]  # what was put in
            try:
                serial, results = hand.line.recv()
            except (EOFError, OSError):
                done += self._bury(hand)
                continue
            given, job = hand.jobs.popleft()
            assert given == serial, "a child answered out of turn"
            done += zip(range(job.start, job.start + len(results)), results, strict=True)
        return done

    def close(self) -> None:
        for hand in self._hands:
            hand.child.kill()
            hand.close()
        for hand in self._hands:
            hand.child.wait()
        self._hands.clear()

    def _hire(self) -> _Hand:
        with tempfile.TemporaryFile() as paper:
            paper.write(_nursery.SLIP.pack(-1, -1))
            paper.flush()
            slip = mmap.mmap(paper.fileno(), _nursery.SLIP.size)
            child, line = self._nursery.fork(self._settings, paper.fileno())
        return _Hand(child, line, slip)

    def _give(self) -> None:
        """The child with the least to do gets the next job; a job that killed a child goes alone."""
        while self.queue:
            hand = min(self._hands, key=lambda each: len(each.jobs))
            if len(hand.jobs) >= _AHEAD:
                return
            job = self.queue.popleft()
            self._serial += 1
            hand.jobs.append((self._serial, job))
            try:
                hand.line.send((self._serial, job.items))
            except OSError:
                hand.child.kill()  # it died, or cannot be told: `wait` tells, and another one does the job
                return

    def _bury(self, hand: _Hand) -> list[tuple[int, Any]]:
        """What the death of a child means for the jobs it had."""
        serial, position = _nursery.SLIP.unpack(hand.slip[:])
        self._hands.remove(hand)
        hand.close()
        status = hand.child.wait()
        jobs = list(hand.jobs)
        guilty = next((job for number, job in jobs if number == serial), None)
        if guilty is None or not 0 <= position < len(guilty.items):
            if serial == -1:
                raise ResourceError(
                    f"a worker process ended before its first item: {_manner(status)}",
                    fix="more memory, or fewer processes beside this one",
                )
            self.queue.extendleft(job for _, job in reversed(jobs))  # it died between two jobs
            return []
        rest = [job for number, job in jobs if number != serial]
        before = _Job(guilty.start, guilty.items[:position])
        after = _Job(guilty.start + position + 1, guilty.items[position + 1 :])
        died = self._verdict(status)
        number = guilty.start + position
        if died.reason == "crash" and not guilty.again:
            once_more = [_Job(number, guilty.items[position : position + 1], again=True)]
            verdict: list[tuple[int, Any]] = []
        else:
            once_more, verdict = [], [(number, died)]
        jobs_left = [job for job in (before, *once_more, after, *rest) if job.items]
        self.queue.extendleft(reversed(jobs_left))
        return verdict

    def _verdict(self, status: int) -> Died:
        if -status in (signal.SIGPROF, signal.SIGALRM):
            return Died("time", f"took longer than {self._settings.seconds:g} seconds")
        if status == _nursery.OUT_OF_MEMORY:
            limit = self._settings.memory_mb
            return Died(
                "memory", f"took more than {limit} MB of memory" if limit else "there was not enough memory"
            )
        return Died("crash", f"the decoder crashed: {_manner(status)}")


def _manner(status: int) -> str:
    """How a process ended, from its return code."""
    if status < 0:
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"
    return f"exit code {status}"
