"""Many clients at once, on a store that is new, locked or on a full disk: nobody fails, nothing is twice."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from convoy import environment
from convoy.registry import runs, tracking
from convoy.registry.client import connect, database_file
from convoy.training.journal import Journal
from tests.faults.conftest import filled
from tests.faults.servers import Writer, at_once, mirrors_of, wait_until
from tests.registry import fixtures
from tests.registry.fixtures import Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project

CLIENTS = 16
pytestmark = pytest.mark.slow

_CLIENT = """
import sys
from pathlib import Path
from convoy.registry import runs
from convoy.registry.client import connect
root, number = Path(sys.argv[1]), int(sys.argv[2])
import mlflow  # all of them, before the first goes on
print("ready", flush=True)
sys.stdin.readline()
client = connect(root)
events = [{"event": "start", "t": 1.0, "key": f"k{number}", "params": {"n": number}}]
for n in range(20):
    events.append({"event": "metrics", "t": 2.0 + n, "step": n, "values": {"loss": 1.0 / (n + 1)}})
run_id = runs.find_or_create(client, root, "toy", events[0])
runs.MetricSender(client, run_id).send(events)
client.set_terminated(run_id, "FINISHED")
"""


def test_sixteen_first_clients_of_an_empty_store_all_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    root = tmp_path / "project"
    (root / ".convoy").mkdir(parents=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", environment.default_tracking_uri(root))
    clean = {n: v for n, v in os.environ.items() if not n.startswith("PYTEST_")}
    for code, said in at_once(_CLIENT, CLIENTS, root, clean):
        assert code == 0, said
    client = connect(root)
    experiment = runs.experiment_id(client, root, "toy")
    found = client.search_runs([experiment])
    assert sorted(run.data.tags["convoy.key"] for run in found) == sorted(f"k{n}" for n in range(CLIENTS))
    for run in found:
        steps = [m.step for m in client.get_metric_history(run.info.run_id, "loss")]
        assert steps == list(range(20))
    record_property("trials", CLIENTS)


def test_a_training_whose_database_is_locked_goes_on_and_is_complete_when_the_lock_is_gone(
    project: Project,
) -> None:
    """60 s and more: MLflow itself gives up after 20."""
    database = database_file(os.environ["MLFLOW_TRACKING_URI"])
    assert database is not None
    runs.experiment_id(project.client, project.root, "toy")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        writer = Writer(project.root, "k", os.environ["MLFLOW_TRACKING_URI"])
        for step in range(5):
            writer.step(step)
        wait_until(lambda: mirrors_of(writer.journal), "the mirror's start")
        with pytest.raises(AssertionError):
            wait_until(lambda: not mirrors_of(writer.journal), "that it gives up", seconds=62.0)
        other.execute("ROLLBACK")
    writer.step(5)
    writer.finish()
    wait_until(lambda: not mirrors_of(writer.journal), "the mirror's end")
    client = project.client
    run = runs.find(client, runs.experiment_id(client, project.root, "toy"), "k")
    assert run.info.status == "FINISHED"
    assert [m.step for m in client.get_metric_history(run.info.run_id, "val_loss")] == list(range(6))


def test_a_store_on_a_full_disk_stops_no_training_and_gets_everything_later(
    project: Project, disk: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal lies on another disk than the database, as with a store of the team."""
    place = disk(8 << 20)
    source = database_file(os.environ["MLFLOW_TRACKING_URI"])
    assert source is not None
    (place / "mlflow.db").write_bytes(source.read_bytes())
    uri = f"sqlite:///{place / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    runs.experiment_id(project.client, project.root, "toy")
    with filled(place, 0):
        writer = Writer(project.root, "k", uri)
        for step in range(5):
            writer.step(step)
        log = project.root / ".convoy" / "logs" / "mirror.log"
        wait_until(lambda: log.is_file() and "sending failed" in log.read_text(), "a failure to send")
        writer.finish()
        wait_until(lambda: not mirrors_of(writer.journal), "the mirror's end")
    assert len(tracking.send_waiting(project.root, project.config)) == 1
    client = project.client
    run = runs.find(client, runs.experiment_id(client, project.root, "toy"), "k")
    assert run.info.status == "FINISHED"
    assert [m.step for m in client.get_metric_history(run.info.run_id, "val_loss")] == list(range(5))


def test_journals_cut_anywhere_are_sent_as_far_as_they_are_whole(
    project: Project, record_property: Callable[[str, object], None]
) -> None:
    """A power cut leaves a journal that ends amid a line, or in zeros."""
    whole = Journal(project.root / ".convoy" / "runs" / "whole" / "journal.jsonl")
    whole.append("start", key="whole", name="whole", params={}, datasets=[])
    for step in range(4):
        whole.append("metrics", step=step, values={"val_loss": 1.0 / (step + 1)})
    content = whole.path.read_bytes()
    lines = content.count(b"\n")
    begun = content.index(b"\n") + 1
    cuts = range(begun, len(content), (len(content) - begun) // 12)
    for number, cut in enumerate(cuts):
        path = whole.path.parent.parent / f"cut{number}" / "journal.jsonl"
        path.parent.mkdir()
        tail = b"\0" * 100 if number % 2 else b""
        path.write_bytes(content[:cut].replace(b"whole", f"cut{number}".encode()) + tail)
    tracking.send_waiting(project.root, project.config)
    client = project.client
    experiment = runs.experiment_id(client, project.root, "toy")
    for number, cut in enumerate(cuts):
        run = runs.find(client, experiment, f"cut{number}")
        assert run.info.status == "KILLED"
        steps = [m.step for m in client.get_metric_history(run.info.run_id, "val_loss")]
        assert steps == list(range(content[:cut].count(b"\n") - 1))
    assert len(runs.find(client, experiment, "whole").data.metrics) == 1
    assert lines == 5
    record_property("trials", len(cuts))
