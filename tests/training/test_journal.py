from pathlib import Path

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


def test_what_the_clock_wrote_is_not_part_of_the_output() -> None:
    event = {"t": 1.5, "event": "metrics", "step": 0, "values": {"loss": 1.0, "epoch_seconds": 3.2}}
    assert without_times([event]) == [{"event": "metrics", "step": 0, "values": {"loss": 1.0}}]


def test_a_missing_journal_has_no_events(tmp_path: Path) -> None:
    assert list(read(tmp_path / "none.jsonl")) == []
