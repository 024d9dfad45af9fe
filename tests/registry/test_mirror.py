"""The mirror follows a journal to its end, knows a dead parent, and never fails its training."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convoy.registry import mirror, runs
from convoy.training.journal import Journal
from tests.registry.fixtures import Project


@pytest.fixture
def journal(project: Project) -> Journal:
    return Journal(project.root / ".convoy" / "runs" / "k1" / "journal.jsonl")


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for the training."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def _start(journal: Journal) -> None:
    journal.append("start", key="k1", name="a run", params={"lr": 0.1}, datasets=[])


def _metrics(journal: Journal, step: int) -> None:
    journal.append("metrics", step=step, values={"val_loss": 1.0 / (step + 1)})


def _run(project: Project) -> Any:
    client = project.client
    return runs.find(client, runs.experiment_id(client, project.root, "toy"), "k1")


def _steps(project: Project) -> list[int]:
    return [m.step for m in project.client.get_metric_history(_run(project).info.run_id, "val_loss")]


def test_a_journal_that_grows_is_mirrored_to_its_end(
    project: Project, journal: Journal, parent: subprocess.Popen[bytes]
) -> None:
    def train() -> None:
        time.sleep(0.3)
        _start(journal)
        for step in range(3):
            _metrics(journal, step)
            time.sleep(0.3)
        journal.append("end", status="FINISHED", reason="")

    thread = threading.Thread(target=train)
    thread.start()
    status = mirror.mirror(journal.path, parent.pid, "toy", project.root)
    thread.join()
    assert status == "FINISHED"
    run = _run(project)
    assert run.info.status == "FINISHED"
    assert run.info.end_time == runs.milliseconds(journal.events()[-1]["t"])
    assert _steps(project) == [0, 1, 2]
    assert run.data.params == {"lr": "0.1"}


def test_a_failed_training_is_a_failed_run(
    project: Project, journal: Journal, parent: subprocess.Popen[bytes]
) -> None:
    _start(journal)
    journal.append("end", status="FAILED", reason="loss is not finite")
    assert mirror.mirror(journal.path, parent.pid, "toy", project.root) == "FAILED"
    assert _run(project).info.status == "FAILED"


def test_a_training_that_was_over_before_the_mirror_began_is_told_as_it_ended(
    project: Project, journal: Journal, parent: subprocess.Popen[bytes]
) -> None:
    _start(journal)
    _metrics(journal, 0)
    journal.append("end", status="FINISHED", reason="")
    parent.kill()
    parent.wait()
    assert mirror.mirror(journal.path, parent.pid, "toy", project.root) == "FINISHED"
    assert _run(project).info.status == "FINISHED"


def test_a_training_that_goes_on_in_another_process_is_left_to_that(
    project: Project, journal: Journal, parent: subprocess.Popen[bytes]
) -> None:
    _start(journal)
    parent.kill()
    parent.wait()
    with journal.writing():
        assert mirror.mirror(journal.path, parent.pid, "toy", project.root) == "RUNNING"
    assert [event["event"] for event in journal.events()] == ["start"]


def test_a_training_that_is_killed_is_a_killed_run_with_all_its_epochs(
    project: Project, journal: Journal, parent: subprocess.Popen[bytes]
) -> None:
    _start(journal)
    _metrics(journal, 0)
    threading.Timer(1.0, parent.kill).start()  # nobody waits for it: it stays a zombie
    assert mirror.mirror(journal.path, parent.pid, "toy", project.root) == "KILLED"
    assert _run(project).info.status == "KILLED"
    assert _steps(project) == [0]


def test_a_resumed_training_goes_on_in_the_same_run(
    project: Project, journal: Journal, parent: subprocess.Popen[bytes]
) -> None:
    _start(journal)
    _metrics(journal, 0)
    journal.append("end", status="KILLED", reason="SIGTERM")
    events = journal.events()
    events[-1]["t"] -= 3600  # an earlier attempt
    journal.keep(events)
    follower = threading.Thread(target=mirror.mirror, args=(journal.path, parent.pid, "toy", project.root))
    follower.start()
    time.sleep(1.0)
    journal.keep(e for e in events if e["event"] != "end")
    _metrics(journal, 1)
    journal.append("end", status="FINISHED", reason="")
    follower.join(timeout=30)
    assert not follower.is_alive()
    assert _run(project).info.status == "FINISHED"
    assert _steps(project) == [0, 1]


def test_a_parent_that_dies_before_it_starts_leaves_no_run(
    project: Project, journal: Journal, parent: subprocess.Popen[bytes]
) -> None:
    parent.kill()
    assert mirror.mirror(journal.path, parent.pid, "toy", project.root) == "KILLED"
    assert _run(project) is None


def _command(journal: Journal, parent: int) -> list[str]:
    return [
        sys.executable, "-m", "convoy.registry.mirror", str(journal.path),
        "--parent", str(parent), "--experiment", "toy",
    ]  # fmt: skip


def test_the_process_outlives_signals_and_says_nothing(
    project: Project, journal: Journal, parent: subprocess.Popen[bytes]
) -> None:
    _start(journal)
    process = subprocess.Popen(
        _command(journal, parent.pid), cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    log = project.root / ".convoy" / "mlflow" / "locks" / "mlflow.lock"
    _wait_for(log)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    journal.append("end", status="FINISHED", reason="")
    assert process.communicate(timeout=60) == (b"", b"")
    assert process.returncode == 0
    assert _run(project).info.status == "FINISHED"
    assert "FINISHED" in (project.root / ".convoy" / "logs" / "mirror.log").read_text()


def test_without_a_server_the_process_ends_well_and_logs_why(
    project: Project, journal: Journal, parent: subprocess.Popen[bytes]
) -> None:
    _start(journal)
    journal.append("end", status="FINISHED", reason="")
    away = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    done = subprocess.run(
        _command(journal, parent.pid),
        cwd=project.root,
        env={**os.environ, **away},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    log = (project.root / ".convoy" / "logs" / "mirror.log").read_text()
    assert "127.0.0.1:9" in log
    assert "track sync" in log


def test_importing_the_mirror_is_cheap() -> None:
    script = (
        "import sys, convoy.registry.mirror; "
        "print([n for n in ('mlflow', 'torch', 'pandas') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_line_that_is_still_being_written_is_not_read(journal: Journal) -> None:
    _start(journal)
    tail = mirror.Tail(journal.path, since=0.0)
    assert tail.grew()
    assert not tail.grew()
    with journal.path.open("a") as handle:
        handle.write('{"event": "end", "status"')
    assert tail.grew()
    assert tail.end is None
    with journal.path.open("a") as handle:
        handle.write(': "FINISHED", "t": 1.0}\n')
    assert tail.grew()
    assert tail.end is not None


def _wait_for(path: Path) -> None:
    for _ in range(300):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} did not appear")
