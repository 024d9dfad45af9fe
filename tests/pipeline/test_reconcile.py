"""What dead processes left is put right; what anybody alive has is not touched."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from convoy.io import write_json
from convoy.owners import Owner
from convoy.pipeline import reconcile as reconciling
from convoy.pipeline.reconcile import Finding, reconcile
from convoy.registry import runs
from convoy.training.journal import Journal
from tests.pipeline.leasing import Leasing, until
from tests.registry import fixtures
from tests.registry.fixtures import Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project
ME = Owner.of()


@pytest.fixture
def journal(project: Project) -> Journal:
    """Of a training that was killed in its second epoch, with a half line."""
    found = Journal(project.root / ".convoy/runs/k1/journal.jsonl")
    found.append("start", key="k1", name="a run", params={"lr": 0.1}, datasets=[])
    found.append("metrics", step=0, values={"val_loss": 1.0})
    with found.path.open("a") as handle:
        handle.write('{"event": "metrics", "st')
    return found


def opened(project: Project, key: str, owner: Owner | None) -> str:
    """The id of a run that counts as running, as the mirror opens it."""
    start = {"key": key, "name": f"run {key}", "t": time.time()}
    run_id = runs.find_or_create(project.client, project.root, "toy", start)
    if owner is not None:
        project.client.set_tag(run_id, runs.PROCESS_TAG, str(owner))
    return run_id


def status(project: Project, run_id: str) -> str:
    return str(project.client.get_run(run_id).info.status)


def kinds(found: list[Finding]) -> list[str]:
    return [each.kind for each in found]


def gone() -> Owner:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner.of(process.pid)
    process.kill()
    process.communicate()
    return owner


def test_a_killed_training_is_killed_in_its_journal_and_in_mlflow(project: Project, journal: Journal) -> None:
    run_id = opened(project, "k1", gone())
    said: list[str] = []
    assert kinds(reconcile(project.root, act=False)) == ["training"]
    assert [event["event"] for event in journal.events()] == ["start", "metrics"]
    (found,) = reconcile(project.root, say=said.append)
    assert said == ["training a run, whose process is gone: KILLED"]
    assert found.as_dict()["kind"] == "training"
    end = journal.events()[-1]
    assert (end["event"], end["status"]) == ("end", "KILLED")
    assert status(project, run_id) == "KILLED"
    assert reconcile(project.root) == []


def test_mlflow_hears_of_it_when_it_is_there_again(
    project: Project, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = opened(project, "k1", gone())
    with monkeypatch.context() as away:
        away.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        away.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        assert kinds(reconcile(project.root)) == ["training"]
    assert status(project, run_id) == "RUNNING"
    assert reconcile(project.root) == []
    assert status(project, run_id) == "KILLED"


@pytest.mark.parametrize("lock", ["writer.lock", "journal.lock"])
def test_a_training_whose_stage_or_mirror_runs_is_alive(
    lock: str, project: Project, journal: Journal
) -> None:
    run_id = opened(project, "k1", gone())
    path = journal.path.with_name(lock)
    before = journal.path.read_bytes()
    with FileLock(path):
        assert reconcile(project.root, deep=True) == []
    assert journal.path.read_bytes() == before
    assert status(project, run_id) == "RUNNING"


def test_a_training_that_ended_is_left_as_it_ended(project: Project, journal: Journal) -> None:
    journal.keep([*journal.events(), {"t": 1.0, "event": "end", "status": "FINISHED", "reason": ""}])
    assert reconcile(project.root) == []
    assert journal.events()[-1]["status"] == "FINISHED"


def test_half_a_line_behind_the_end_of_a_journal_is_removed(project: Project, journal: Journal) -> None:
    journal.keep([*journal.events(), {"t": 1.0, "event": "end", "status": "FINISHED", "reason": ""}])
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + b'{"event": "metr')
    assert kinds(reconcile(project.root, act=False)) == ["journal"]
    assert kinds(reconcile(project.root)) == ["journal"]
    assert journal.path.read_bytes() == whole
    assert reconcile(project.root) == []


@pytest.mark.parametrize(
    ("owner", "ends"),
    [
        ("gone", True),
        (replace(ME, ticks=ME.ticks - 1), True),
        (ME, False),
        (replace(ME, host="another-host", pid=1), False),
        (replace(ME, space="pid:[1]", pid=1), False),
        (None, False),
    ],
    ids=["gone", "number reused", "alive", "another host", "a container", "nobody's"],
)
def test_runs_without_a_journal_here_are_judged_by_their_process(
    owner: Any, ends: bool, project: Project
) -> None:
    run_id = opened(project, "k9", gone() if owner == "gone" else owner)
    assert reconcile(project.root) == []  # no local mark speaks of it
    assert kinds(reconcile(project.root, deep=True)) == (["training"] if ends else [])
    assert status(project, run_id) == ("KILLED" if ends else "RUNNING")


def test_a_server_that_is_away_is_told_and_no_error(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (found,) = reconcile(project.root, deep=True)
    assert found.kind == "server"
    assert "cannot be reached" in str(found)


def test_a_temporary_server_whose_run_is_gone_is_ended_and_one_whose_run_lives_is_not(tmp_path: Path) -> None:
    def server(starter: Owner) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
        )
        note = {"server": Owner.of(process.pid).record(), "starter": starter.record()}
        write_json(tmp_path / f".convoy/logs/prefect-server-{process.pid}.json", note)
        return process

    orphan, used = server(gone()), server(ME)
    try:
        (found,) = reconcile(tmp_path, act=False)
        assert f"process {orphan.pid}" in str(found)
        assert orphan.poll() is None
        assert kinds(reconcile(tmp_path)) == ["server"]
        assert orphan.wait(60) == -15
        assert used.poll() is None
        until(lambda: reconcile(tmp_path) == [])
        assert [path.name for path in (tmp_path / ".convoy/logs").iterdir()] == [
            f"prefect-server-{used.pid}.json"
        ]
    finally:
        for process in (orphan, used):
            process.kill()
            process.wait()


def test_the_note_of_a_killed_run_goes_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    with Leasing(tmp_path, "project(Path(sys.argv[1]), 'convoy run')") as run:
        assert run.line() == "has it"
        assert reconcile(tmp_path) == []
        run.kill()
        (found,) = reconcile(tmp_path)
        assert str(found).startswith("what is left of `convoy run` of ")


@pytest.mark.parametrize("size", [0, 100, 5000, None], ids=["empty", "header", "half", "overwritten"])
def test_a_damaged_database_of_prefect_is_set_aside(
    size: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convoy.pipeline import database

    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / ".prefect"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert database.lay_out(tmp_path / ".prefect")
    assert reconcile(tmp_path) == []
    path = tmp_path / ".prefect/prefect.db"
    content = path.read_bytes()
    path.write_bytes(
        content[:size] if size is not None else content[:4096] + b"\xff" * 8192 + content[12288:]
    )
    assert kinds(reconcile(tmp_path, act=False)) == ["database"]
    assert path.exists()
    assert kinds(reconcile(tmp_path)) == ["database"]
    assert not path.exists()
    assert database.lay_out(tmp_path / ".prefect")
    assert reconcile(tmp_path) == []


def test_where_nothing_is_wrong_neither_mlflow_nor_prefect_nor_dvc_is_imported(tmp_path: Path) -> None:
    for n in range(30):
        path = Journal(tmp_path / f".convoy/runs/k{n}/journal.jsonl")
        path.keep([{"t": 1.0, "event": "start"}, {"t": 2.0, "event": "end", "status": "FINISHED"}])
    script = (
        "import sys; from pathlib import Path; from convoy.pipeline.reconcile import reconcile\n"
        "assert reconcile(Path(sys.argv[1])) == []\n"
        "print([n for n in ('mlflow', 'prefect', 'dvc', 'torch', 'pandas') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_end_of_a_long_journal_is_found_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    long = Journal(path)
    long.keep({"t": 1.0, "event": "metrics", "values": {"x" * 50: n}} for n in range(400))
    assert reconciling._last(path).get("event") != "end"
    long.append("end", status="FINISHED", reason="é" * 100)
    assert reconciling._last(path).get("event") == "end"
    with path.open("a") as handle:
        handle.write('{"event"')
    assert reconciling._last(path).get("event") != "end"
    assert path.stat().st_size > 8192
