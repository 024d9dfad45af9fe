import os
import threading
import time

import pytest

from convoy.data._quiet import decoders_quiet
from convoy.data._threads import cores, in_chunks


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 1000])
def test_results_come_in_order_and_cover_everything(length: int) -> None:
    parts = list(in_chunks(list, length))
    assert [row for part in parts for row in part] == list(range(length))


def test_the_work_under_way_is_bounded() -> None:
    lock, under_way, most = threading.Lock(), 0, 0

    def work(rows: range) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.002)
        with lock:
            under_way -= 1

    list(in_chunks(work, 40, chunk=1))
    assert most <= cores()


def test_the_first_error_stops_the_rest() -> None:
    seen: list[int] = []

    def work(rows: range) -> None:
        seen.append(rows.start)
        if rows.start == 3:
            raise KeyError("three")

    with pytest.raises(KeyError, match="three"):
        list(in_chunks(work, 10_000, chunk=1))
    assert len(seen) < 100


def test_what_c_libraries_write_is_silenced_and_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    with decoders_quiet():
        os.write(2, b"libtiff complains\n")
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


def test_silence_ends_with_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError), decoders_quiet():
        raise KeyError
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"
