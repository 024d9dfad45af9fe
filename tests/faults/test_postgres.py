"""MLflow on PostgreSQL: many first clients, and a database that dies under load and comes back."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convoy.errors import ResourceError
from convoy.registry import runs, tracking
from convoy.registry.client import connect, lock
from tests.faults.postgres import Postgres
from tests.faults.servers import Writer, mirrors_of, wait_until
from tests.registry import fixtures
from tests.registry.fixtures import Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project

WRITERS, STEPS = 4, 8
pytestmark = pytest.mark.slow


@pytest.fixture
def on_postgres(project: Project, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The project, its MLflow in a new database."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgres.create(f"d{os.urandom(6).hex()}"))
    yield project
    postgres.start_again()


def test_trainings_go_on_while_postgresql_is_killed_under_load_and_nothing_is_lost(
    on_postgres: Project, postgres: Postgres, record_property: Callable[[str, object], None]
) -> None:
    project = on_postgres
    connect(project.root)  # the schema
    uri = os.environ["MLFLOW_TRACKING_URI"]
    writers = [Writer(project.root, f"k{n}", uri) for n in range(WRITERS)]
    for step in range(STEPS):
        for writer in writers:
            writer.step(step)
        if step in (2, 5):
            wait_until(lambda: _arrived(project, writers), "some step of each in MLflow")
            postgres.kill()
        if step in (3, 6):
            postgres.start()
    for writer in writers:
        writer.finish()
    wait_until(lambda: not any(mirrors_of(writer.journal) for writer in writers), "the mirrors' end")
    tracking.send_waiting(project.root, project.config)
    client = project.client
    experiment = runs.experiment_id(client, project.root, "toy")
    for number in range(WRITERS):
        run = runs.find(client, experiment, f"k{number}")
        assert run.info.status == "FINISHED"
        points = client.get_metric_history(run.info.run_id, "val_loss")
        assert sorted(m.step for m in points) == list(range(STEPS))
        assert [m.step for m in sorted(points, key=lambda m: m.timestamp)] == list(range(STEPS))
    record_property("trials", 2 * WRITERS)


def _arrived(project: Project, writers: list[Writer]) -> bool:
    client = project.client
    experiment = client.get_experiment_by_name("toy")
    if experiment is None:
        return False
    found = [runs.find(client, experiment.experiment_id, w.journal.path.parent.name) for w in writers]
    return all(run is not None and "val_loss" in run.data.metrics for run in found)


def test_a_postgresql_that_is_away_is_said_at_once_and_the_promotion_lock_is_free_afterwards(
    on_postgres: Project, postgres: Postgres
) -> None:
    root = on_postgres.root
    with lock(root, "registry"):
        pass
    postgres.kill()
    with pytest.raises(ResourceError, match="cannot be reached"):
        tracking.sync(root, on_postgres.config)
    postgres.start()
    with lock(root, "registry"):
        run_id = tracking.sync(root, on_postgres.config)
    run = on_postgres.client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert Path(run.info.artifact_uri).name == "artifacts"
