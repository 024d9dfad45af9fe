"""The MLflow server dies in the middle of a whole pipeline run: the run ends, and tells everything later."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from convoy.training import journal
from tests.faults.interrupting import SECONDS, log, nothing_is_left, small_project, started, until_trained
from tests.faults.servers import MlflowServer, wait_until
from tests.project import run

pytestmark = pytest.mark.slow

EPOCHS = 400  # so many that the server is away for hundreds of them


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    made = MlflowServer(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "server")
    made.start()
    yield made
    made.kill()


def events(path: Path) -> list[journal.Event]:
    return list(journal.read(path))


def points(client: MlflowClient, experiment: str) -> list[int]:
    """The epochs of the one run's loss, as the server gives them."""
    found = client.search_runs([experiment])
    assert len(found) <= 1
    return [m.step for run in found for m in client.get_metric_history(run.info.run_id, "val_loss")]


def test_a_server_killed_at_step_5_and_started_after_the_training_has_the_whole_run(
    tmp_path: Path, server: MlflowServer
) -> None:
    long = {"epochs": EPOCHS, "schedule": {"name": "fixed"}, "early_stopping": None}
    project = small_project(tmp_path / "project", train=long)
    client = MlflowClient(server.url)

    def experiment() -> str:
        return next((e.experiment_id for e in client.search_experiments() if e.name != "Default"), "0")

    with started(project, "convoy", "run", MLFLOW_TRACKING_URI=server.url) as process:
        live = until_trained(project, 5)
        wait_until(lambda: len(points(client, experiment())) >= 5, "5 steps in MLflow")
        server.kill()
        arrived = len(events(live))
        wait_until(lambda: events(live)[-1]["event"] == "end", "the training's end")
        assert len(events(live)) > arrived + 10, "the server was away for too short a time"
        server.start()
        code = process.wait(SECONDS)
    assert code in (0, 5), log(project)[-3000:]  # 5: registering found no server yet
    if code:
        found = run(project, "convoy", "explain", "--json")
        assert '"cause": "server away"' in found.stdout
        with started(project, "convoy", "run", MLFLOW_TRACKING_URI=server.url) as process:
            assert process.wait(SECONDS) == 0, log(project)[-3000:]
    (found,) = client.search_runs([experiment()])
    assert found.info.status == "FINISHED"
    written = [e for e in events(live) if e["event"] == "metrics"]
    for name in ("val_loss", "train_loss", "lr"):
        told = [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, name)]
        assert told == [(e["step"], e["values"][name]) for e in written]
    assert [e["step"] for e in written] == list(range(EPOCHS))
    assert "test_accuracy" in found.data.metrics
    assert client.get_model_version_by_alias("digits", "champion").run_id == found.info.run_id
    nothing_is_left(project)
