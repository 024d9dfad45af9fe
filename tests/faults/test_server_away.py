"""The MLflow server dies and comes back: training goes on, and every metric is there once and in order."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from convoy.registry import runs, tracking
from tests.faults.servers import MlflowServer, Writer, mirrors_of, wait_until
from tests.registry import fixtures
from tests.registry.fixtures import Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project

STEPS = 10
pytestmark = pytest.mark.slow


@pytest.fixture
def server(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowServer]:
    """A server in front of the project's database; the project uses it."""
    made = MlflowServer(os.environ["MLFLOW_TRACKING_URI"], tmp_path / "server")
    made.start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.url)
    yield made
    made.kill()


def _run(project: Project, key: str) -> Any:
    client = project.client
    return runs.find(client, runs.experiment_id(client, project.root, "toy"), key)


def _expect_all(project: Project, key: str, steps: int, status: str = "FINISHED") -> None:
    run = _run(project, key)
    assert run.info.status == status
    for name, value in (("val_loss", lambda n: 1.0 / (n + 1)), ("lr", lambda n: 0.1)):
        found = [(m.step, m.value) for m in project.client.get_metric_history(run.info.run_id, name)]
        assert found == [(n, value(n)) for n in range(steps)]


def _arrived(project: Project, key: str) -> int:
    """Steps that the server has."""
    run = _run(project, key)
    return len(project.client.get_metric_history(run.info.run_id, "val_loss")) if run else 0


def test_a_server_killed_at_step_5_and_back_after_the_training_has_everything(
    project: Project, server: MlflowServer
) -> None:
    writer = Writer(project.root, "k", server.url)
    for step in range(5):
        writer.step(step)
    wait_until(lambda: _arrived(project, "k") == 5, "5 steps in MLflow")
    server.kill()
    for step in range(5, STEPS):
        writer.step(step)
    writer.finish()
    wait_until(lambda: not mirrors_of(writer.journal), "the mirror's end")
    server.start()
    assert len(tracking.send_waiting(project.root, project.config)) == 1
    _expect_all(project, "k", STEPS)
    assert tracking.send_waiting(project.root, project.config) == []
    _expect_all(project, "k", STEPS)


def test_a_server_that_comes_back_during_the_training_gets_the_rest_from_the_mirror_itself(
    project: Project, server: MlflowServer, record_property: Callable[[str, object], None]
) -> None:
    writer = Writer(project.root, "k", server.url)
    done = 0
    for away in (2, 4, 7):  # three times
        for step in range(done, away):
            writer.step(step)
        wait_until(lambda away=away: _arrived(project, "k") == away, f"{away} steps in MLflow")
        server.kill()
        writer.step(away)
        done = away + 1
        server.start()
        wait_until(lambda done=done: _arrived(project, "k") == done, "the step that found no server")
    for step in range(done, STEPS):
        writer.step(step)
    writer.finish()
    wait_until(lambda: not mirrors_of(writer.journal), "the mirror's end")
    _expect_all(project, "k", STEPS)
    record_property("trials", 3)


def test_a_training_that_began_without_a_server_is_mirrored_as_soon_as_there_is_one(
    project: Project, server: MlflowServer
) -> None:
    server.kill()
    writer = Writer(project.root, "k", server.url)
    writer.step(0)
    log = project.root / ".convoy" / "logs" / "mirror.log"
    wait_until(lambda: log.is_file() and "sending failed" in log.read_text(), "a failure to send")
    server.start()
    wait_until(lambda: _arrived(project, "k") == 1, "the first step in MLflow")
    writer.step(1)
    writer.finish()
    wait_until(lambda: not mirrors_of(writer.journal), "the mirror's end")
    _expect_all(project, "k", 2)


def test_a_training_killed_while_the_server_was_away_is_sent_later_as_killed(
    project: Project, server: MlflowServer
) -> None:
    writer = Writer(project.root, "k", server.url)
    writer.step(0)
    wait_until(lambda: _arrived(project, "k") == 1, "the first step in MLflow")
    server.kill()
    writer.step(1)
    writer.kill()
    wait_until(lambda: not mirrors_of(writer.journal), "the mirror's end")
    server.start()
    tracking.send_waiting(project.root, project.config)
    _expect_all(project, "k", 2, "KILLED")


def test_a_mirror_that_is_killed_is_started_again_and_sends_nothing_twice(
    project: Project, server: MlflowServer, record_property: Callable[[str, object], None]
) -> None:
    writer = Writer(project.root, "k", server.url)
    for step in range(3):
        writer.step(step)
        wait_until(lambda step=step: _arrived(project, "k") == step + 1, f"step {step} in MLflow")
        for pid in mirrors_of(writer.journal):
            os.kill(pid, signal.SIGKILL)
    writer.step(3)
    wait_until(lambda: _arrived(project, "k") == 4, "the last step in MLflow")
    writer.finish()
    wait_until(lambda: not mirrors_of(writer.journal), "the mirror's end")
    _expect_all(project, "k", 4)
    record_property("trials", 3)


def test_a_training_and_its_mirror_killed_together_are_sent_by_the_next_sync(
    project: Project, server: MlflowServer
) -> None:
    writer = Writer(project.root, "k", server.url)
    writer.step(0)
    wait_until(lambda: _arrived(project, "k") == 1, "the first step in MLflow")
    writer.step(1)
    writer.kill()
    for pid in mirrors_of(writer.journal):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not mirrors_of(writer.journal), "the mirror's end")
    tracking.send_waiting(project.root, project.config)
    _expect_all(project, "k", 2, "KILLED")


def test_a_server_that_hangs_is_given_up_soon_and_loses_nothing(
    project: Project, server: MlflowServer
) -> None:
    from convoy.errors import ResourceError

    writer = Writer(project.root, "k", server.url)
    writer.step(0)
    writer.finish()
    wait_until(lambda: not mirrors_of(writer.journal), "the mirror's end")
    server.pause()
    with pytest.raises(ResourceError, match="cannot be reached"):
        tracking.sync(project.root, project.config)
    server.go_on()
    tracking.sync(project.root, project.config)
    _expect_all(project, "k", 1)
