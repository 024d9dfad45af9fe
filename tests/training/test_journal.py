import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from convoy.training.journal import Journal, read, without_times


def test_events_come_back_in_order_with_their_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "runs" / "journal.jsonl")
    journal.append("start", key="k")
    journal.append("metrics", step=0, values={"loss": 0.5})
    events = journal.events()
    assert [event["event"] for event in events] == ["start", "metrics"]
    assert events[0]["t"] <= events[1]["t"]


def test_a_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("start", key="k")
    with journal.path.open("a") as handle:
        handle.write('{"event": "metr')
    assert [event["event"] for event in read(journal.path)] == ["start"]


@pytest.mark.parametrize("spoilt", [b"\0\0\0\0\n", b'{"event": "metr\xff"}\n', b"[1]\n", b"{}\n"])
def test_what_follows_a_spoilt_line_is_not_trusted(tmp_path: Path, spoilt: bytes) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("start", key="k")
    with journal.path.open("ab") as handle:
        handle.write(spoilt)
    journal.append("metrics", step=0, values={})
    assert [event["event"] for event in journal.events()] == ["start"]


def test_a_journal_has_one_writer_and_is_closed_only_when_that_is_gone(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    assert not journal.close_abandoned()  # nothing has begun
    with journal.writing():
        journal.append("start", key="k")
        assert journal.written()
        assert not journal.close_abandoned()
    assert not journal.written()
    assert journal.close_abandoned()
    assert journal.close_abandoned()
    events = journal.events()
    assert [event["event"] for event in events] == ["start", "end"]
    assert (events[1]["status"], events[1]["t"]) == ("KILLED", events[0]["t"])


def test_the_lock_of_a_writer_that_was_killed_is_free(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from convoy.training.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "with journal.writing():\n"
        "    journal.append('start', key='k'); print('begun', flush=True); input()"
    )
    path = tmp_path / "journal.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
        assert not Journal(path).close_abandoned()
        writer.kill()
        writer.wait()
    assert Journal(path).close_abandoned()


def test_a_full_disk_takes_no_part_of_an_event(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: the kernel takes what fits, as on a full one."""
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("start", key="k")
    before = journal.path.read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, old[1]))
        with pytest.raises(OSError, match="too large"):
            journal.append("metrics", step=0, values={"loss": 0.5})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    assert journal.path.read_bytes() == before
    journal.append("metrics", step=0, values={"loss": 0.5})
    assert [event["event"] for event in journal.events()] == ["start", "metrics"]


def test_what_the_clock_wrote_is_not_part_of_the_output() -> None:
    event = {"t": 1.5, "event": "metrics", "step": 0, "values": {"loss": 1.0, "epoch_seconds": 3.2}}
    assert without_times([event]) == [{"event": "metrics", "step": 0, "values": {"loss": 1.0}}]


def test_a_missing_journal_has_no_events(tmp_path: Path) -> None:
    assert list(read(tmp_path / "none.jsonl")) == []
