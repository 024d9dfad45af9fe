import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from convoy.data import workers
from convoy.data.workers import Died
from convoy.errors import DataError


def doubling(log: Path | None = None) -> Callable[[int], int]:
    """Doubles; some numbers do harm."""
    if log is not None:
        (log / str(os.getpid())).touch()

    def work(item: int) -> int:
        if item == 1001:
            os.kill(os.getpid(), signal.SIGSEGV)
        if item == 1002:
            while True:
                pass
        if item == 1003:
            return len(bytearray(900 << 20))
        if item == 1004:
            raise DataError("no such thing", where="1004")
        return 2 * item

    return work


def refusing() -> Callable[[int], int]:
    raise DataError("cannot begin")


def test_results_come_in_the_items_order() -> None:
    items = list(range(1000))
    assert list(workers.run(doubling, items, processes=3, chunk=7)) == [2 * item for item in items]


def test_no_items_start_no_process() -> None:
    assert list(workers.run(doubling, [])) == []


def test_the_work_is_made_once_in_each_process(tmp_path: Path) -> None:
    list(workers.run(partial(doubling, tmp_path), list(range(500)), processes=2, chunk=10))
    assert 1 <= len(list(tmp_path.iterdir())) <= 2


@pytest.mark.parametrize(
    ("item", "reason", "words"),
    [(1001, "crash", "SIGSEGV"), (1002, "time", "0.3 seconds"), (1003, "memory", "300 MB")],
)
@pytest.mark.parametrize("place", [0, 5, 19])
def test_a_harmful_item_is_found_and_harms_no_other(item: int, reason: str, words: str, place: int) -> None:
    items = list(range(20))
    items[place] = item
    found = list(workers.run(doubling, items, processes=2, chunk=10, seconds=0.3, memory_mb=300))
    died = found[place]
    assert isinstance(died, Died)
    assert died.reason == reason
    assert words in died.detail
    assert [r for n, r in enumerate(found) if n != place] == [2 * i for i in items if i != item]


def test_many_harmful_items_are_each_found() -> None:
    items = [1001, 1, 1003, 2, 1001, 1001, 3, 1002, 4]
    found = list(workers.run(doubling, items, chunk=4, seconds=0.2, memory_mb=300))
    assert [r.reason if isinstance(r, Died) else r for r in found] == [
        "crash", 2, "memory", 4, "crash", "crash", 6, "time", 8,
    ]  # fmt: skip


def test_an_error_of_the_work_is_raised_here_at_its_place() -> None:
    results = workers.run(doubling, [1, 1004, 2], chunk=1)
    assert next(results) == 2
    with pytest.raises(DataError, match="no such thing") as error:
        next(results)
    assert error.value.where == "1004"


def test_an_error_while_the_work_is_made_is_raised_here() -> None:
    with pytest.raises(DataError, match="cannot begin"):
        list(workers.run(refusing, [1, 2]))


def test_a_reader_that_stops_early_leaves_no_child_behind(tmp_path: Path) -> None:
    results = workers.run(partial(doubling, tmp_path), list(range(10_000)), processes=2, chunk=10)
    next(results)
    results.close()  # type: ignore[attr-defined]
    for child in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(child.name), 0)


def test_children_are_given_a_bounded_number_of_items_ahead() -> None:
    class Counted(list[int]):
        furthest = 0

        def __getitem__(self, key):  # type: ignore[no-untyped-def]
            if isinstance(key, slice):
                Counted.furthest = max(Counted.furthest, key.stop)
            return super().__getitem__(key)

    results = workers.run(doubling, Counted(range(10_000)), processes=2, chunk=10)
    next(results)
    assert Counted.furthest <= 100


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_child_outlives_its_parent(tmp_path: Path, how: signal.Signals, repository: Path) -> None:
    code = (
        "from pathlib import Path; from functools import partial; from convoy.data import workers\n"
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it\n"
        "from tests.data.test_workers import doubling\n"
        f"log = Path({str(tmp_path)!r})\n"
        "for _ in workers.run(partial(doubling, log), [1, 1002, 1002, 1002], processes=2, chunk=1): pass\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=repository, stderr=subprocess.DEVNULL) as parent:
        try:
            deadline = time.monotonic() + 30
            while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
            children = [int(child.name) for child in tmp_path.iterdir()]
            assert len(children) == 2
            parent.send_signal(how)
            assert parent.wait(10) != 0
        finally:
            parent.kill()
    while any(_runs(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(_runs(child) for child in children)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
