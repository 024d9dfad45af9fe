"""When a folder into which files arrive has settled; the clock is the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from convoy.schedule import arrivals
from convoy.schedule.arrivals import Listing


class Arriving:
    """A clock that `sleep` moves, and a folder whose listing depends on it."""

    def __init__(self, changes: dict[float, Listing]) -> None:
        self.now = 0.0
        self._changes = sorted(changes.items())

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    def look(self) -> Listing:
        return [files for moment, files in self._changes if moment <= self.now][-1]

    def settled(self, seconds: float, patience: float = 1000.0) -> Listing | None:
        return arrivals.settled(self.look, seconds, clock=self.clock, sleep=self.sleep, patience=patience)


A, AB, BIG = {"a": (1, 1)}, {"a": (1, 1), "b": (1, 1)}, {"a": (2, 1), "b": (1, 1)}


def test_a_folder_at_rest_is_taken_after_the_settle_time() -> None:
    folder = Arriving({0: A})
    assert folder.settled(30) == A
    assert folder.now == 30


def test_every_change_begins_the_wait_anew() -> None:
    folder = Arriving({0: A, 20: AB, 45: BIG})
    assert folder.settled(30) == BIG
    assert folder.now == 75


@pytest.mark.parametrize("change", [{"a": (1, 2)}, {"a": (2, 1)}, {"c": (1, 1)}, {}])
def test_a_time_a_size_or_a_name_is_a_change(change: Listing) -> None:
    folder = Arriving({0: A, 10: change})
    assert folder.settled(30) == change
    assert folder.now == 40


def test_without_a_settle_time_nothing_is_waited_for() -> None:
    folder = Arriving({0: A})
    assert folder.settled(0) == A
    assert folder.now == 0


def test_a_folder_that_never_rests_is_left_to_the_next_run() -> None:
    folder = Arriving({float(moment): {"a": (moment, 1)} for moment in range(0, 5000, 5)})
    assert folder.settled(30, patience=300) is None
    assert 300 <= folder.now < 400


def test_a_listing_knows_files_at_any_depth_and_its_digest_their_times(tmp_path: Path) -> None:
    def digests() -> Iterator[str]:
        (tmp_path / "类 a").mkdir()
        (tmp_path / "类 a" / "1.png").write_bytes(b"one")
        yield arrivals.digest(arrivals.listing(tmp_path))
        (tmp_path / "类 a" / "1.png").write_bytes(b"other")
        yield arrivals.digest(arrivals.listing(tmp_path))
        (tmp_path / "2.png").touch()
        yield arrivals.digest(arrivals.listing(tmp_path))

    assert len(set(digests())) == 3
    assert set(arrivals.listing(tmp_path)) == {"类 a/1.png", "2.png"}
    assert arrivals.listing(tmp_path)["类 a/1.png"][0] == 5
