"""Runs in MLflow: found by key, filled within MLflow's limits, the same thing sent once."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convoy.errors import ResourceError
from convoy.registry import client as connection
from convoy.registry import runs
from tests.registry.fixtures import Project


def _start(**more: Any) -> dict[str, Any]:
    return {"event": "start", "t": 100.0, "key": "k1", "name": "a run", **more}


def _metrics(step: int, **values: float) -> dict[str, Any]:
    return {"event": "metrics", "t": 100.0 + step, "step": step, "values": values}


@pytest.fixture
def client(project: Project) -> Any:
    return project.client


def test_a_key_has_one_run(project: Project, client: Any) -> None:
    first = runs.find_or_create(client, project.root, "toy", _start())
    assert runs.find_or_create(client, project.root, "toy", _start()) == first
    run = client.get_run(first)
    assert run.info.run_name == "a run"
    assert run.info.start_time == 100_000
    assert run.data.tags["convoy.key"] == "k1"
    assert run.data.tags["convoy.dirty"] == "false"
    assert len(run.data.tags["mlflow.source.git.commit"]) == 40


def test_a_run_that_was_deleted_is_not_reused(project: Project, client: Any) -> None:
    first = runs.find_or_create(client, project.root, "toy", _start())
    client.delete_run(first)
    assert runs.find_or_create(client, project.root, "toy", _start()) != first


def test_artifacts_lie_beside_the_projects_database(project: Project, client: Any) -> None:
    run = client.get_run(runs.find_or_create(client, project.root, "toy", _start()))
    assert run.info.artifact_uri.startswith((project.root / ".convoy" / "mlflow" / "artifacts").as_uri())


def test_an_experiment_that_was_deleted_is_restored(project: Project, client: Any) -> None:
    experiment = runs.experiment_id(client, project.root, "toy")
    client.delete_experiment(experiment)
    assert runs.experiment_id(client, project.root, "toy") == experiment


def test_parameters_are_flat_and_within_the_limits(project: Project, client: Any) -> None:
    params = {f"p{n}": n for n in range(250)} | {"nested": {"lr": 0.1, "list": [1, "猫"]}, "long": "x" * 9000}
    run_id = runs.find_or_create(client, project.root, "toy", _start(params=params))
    found = client.get_run(run_id).data.params
    assert len(found) == 253
    assert found["nested.lr"] == "0.1"
    assert found["nested.list"] == '[1, "猫"]'
    assert len(found["long"]) == runs.MAX_PARAM_VALUE


def test_parameters_that_a_run_has_are_left_alone(project: Project, client: Any) -> None:
    run_id = runs.find_or_create(client, project.root, "toy", _start(params={"lr": 0.1}))
    runs.find_or_create(client, project.root, "toy", _start(params={"lr": 0.2, "seed": 0}))
    assert client.get_run(run_id).data.params == {"lr": "0.1", "seed": "0"}


def test_data_sets_are_logged_once_with_a_digest_that_fits(project: Project, client: Any) -> None:
    entry = {"name": "toy", "digest": "a" * 64, "source": "data/raw/toy", "context": "raw"}
    for _ in range(2):
        run_id = runs.find_or_create(client, project.root, "toy", _start(datasets=[entry]))
    (found,) = client.get_run(run_id).inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("toy", "a" * 36)
    assert found.tags[0].value == "raw"


def test_metrics_are_sent_once_for_each_step(project: Project, client: Any) -> None:
    run_id = runs.find_or_create(client, project.root, "toy", _start())
    sender = runs.MetricSender(client, run_id)
    assert sender.send([_start(), _metrics(0, loss=1.0)]) == 1
    assert sender.send([_metrics(0, loss=1.0), _metrics(1, loss=0.5)]) == 1
    assert runs.MetricSender(client, run_id).send([_metrics(0, loss=1.0), _metrics(1, loss=0.5)]) == 0
    history = client.get_metric_history(run_id, "loss")
    assert [(m.step, m.value, m.timestamp) for m in history] == [(0, 1.0, 100_000), (1, 0.5, 101_000)]


def test_many_metrics_go_in_batches(project: Project, client: Any) -> None:
    run_id = runs.find_or_create(client, project.root, "toy", _start())
    events = [_metrics(step, **{f"m{n}": 1.0 for n in range(5)}) for step in range(300)]
    assert runs.MetricSender(client, run_id).send(events) == 1500
    assert len(client.get_metric_history(run_id, "m4")) == 300


def test_batches_are_of_the_size_asked_for() -> None:
    assert list(runs.batches([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(runs.batches([], 2)) == []


@pytest.fixture
def nobody(project: Project, monkeypatch: pytest.MonkeyPatch) -> str:
    uri = "http://user:secret@127.0.0.1:9"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return uri


def test_a_server_that_is_away_is_an_error_that_names_it_without_the_password(
    project: Project, nobody: str
) -> None:
    with pytest.raises(ResourceError) as caught:
        connection.connect(project.root)
    assert "http://user:***@127.0.0.1:9" in str(caught.value)
    assert "secret" not in caught.value.where.split(": ")[0]
    assert caught.value.exit_code == 5


def test_a_database_that_cannot_be_opened_is_an_error_that_names_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "folder.db").mkdir()
    (project.root / "damaged.db").write_bytes(b"no database" * 100)
    for name in ("folder.db", "damaged.db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project.root / name}")
        with pytest.raises(ResourceError, match="cannot be reached") as caught:
            connection.connect(project.root)
        assert name in caught.value.where


def test_without_project_and_server_there_is_nothing_to_connect_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ResourceError, match="no MLflow server is named"):
        connection.tracking_uri(None)


def test_connecting_is_quiet(project: Project, capfd: pytest.CaptureFixture[str]) -> None:
    connection.connect(project.root)
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("alembic").level == logging.WARNING


def test_a_process_killed_while_it_makes_the_schema_leaves_no_database(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.store.tracking import sqlalchemy_store

    database = project.root / "new" / "mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")

    def killed(uri: str, artifacts: str) -> None:
        Path(uri.removeprefix("sqlite:///")).write_bytes(b"half a database")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sqlalchemy_store, "SqlAlchemyStore", killed)
        with pytest.raises(KeyboardInterrupt):
            connection.connect(project.root)
    assert not database.exists()


def test_two_first_contacts_at_once_both_succeed(project: Project, tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    script = "from pathlib import Path; from convoy.registry.client import connect; connect(Path.cwd())"
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    both = [
        subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path / "fresh", env=environment)
        for _ in range(2)
    ]
    assert [process.wait() for process in both] == [0, 0]
