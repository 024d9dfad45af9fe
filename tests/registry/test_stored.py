"""Runs read straight from SQLite are those that MLflow's client reads; MLflow is not imported for them."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convoy import layout
from convoy.errors import ConfigError, ResourceError
from convoy.registry import collecting, comparing, listing, register, stored, tracking
from convoy.registry.client import database_file
from tests.registry.fixtures import Project


@pytest.fixture
def two_runs(project: Project) -> Project:
    for name in ("good", "poor"):
        project.use(name)
        tracking.sync(project.root, project.config)
    return project


def _reader(project: Project) -> Any:
    found = stored.reader(project.root)
    assert isinstance(found, stored.Stored)
    return found


def _fields(run: Any) -> dict[str, Any]:
    names = ("run_id", "run_name", "status", "start_time", "end_time", "artifact_uri", "experiment_id",
             "lifecycle_stage")  # fmt: skip
    data = {name: dict(getattr(run.data, name)) for name in ("params", "tags", "metrics")}
    return {**{name: getattr(run.info, name) for name in names}, **data}


def test_the_list_is_the_one_that_mlflow_gives(two_runs: Project) -> None:
    ours, theirs = _reader(two_runs), two_runs.client
    assert [_fields(run) for run in listing.recent(ours, "toy", 10)] == [
        _fields(run) for run in listing.recent(theirs, "toy", 10)
    ]
    assert len(listing.recent(ours, None, 10)) == 2
    assert len(listing.recent(ours, "toy", 1)) == 1
    assert listing.recent(ours, "another", 10) == []
    deleted = listing.recent(ours, "toy", 1)[0].info.run_id
    theirs.delete_run(deleted)
    assert deleted not in {run.info.run_id for run in listing.recent(ours, "toy", 10)}


def test_values_that_are_no_numbers_come_back_as_such(two_runs: Project) -> None:
    run_id = listing.recent(_reader(two_runs), "toy", 1)[0].info.run_id
    two_runs.client.log_metric(run_id, "odd", math.nan)
    assert math.isnan(_reader(two_runs).get_run(run_id).data.metrics["odd"])


def test_a_comparison_is_the_one_that_mlflow_gives(two_runs: Project, tmp_path: Path) -> None:
    two_runs.use("good")
    run_id = tracking.sync(two_runs.root, two_runs.config)
    register.register(two_runs.root, two_runs.config, run_id)

    def compare(client: Any) -> dict[str, Any]:
        sides = [collecting.collect(client, "toy", n, tmp_path) for n in ("lenet5-good", "lenet5-poor")]
        return comparing.compare(sides, two_runs.root)

    assert repr(compare(_reader(two_runs))) == repr(compare(two_runs.client))
    with pytest.raises(ConfigError, match="no run is called"):
        collecting.collect(_reader(two_runs), "toy", "nobody", tmp_path)


def test_a_database_of_another_schema_is_left_to_mlflow(
    two_runs: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "SCHEMAS", frozenset({"another"}))
    assert not isinstance(stored.reader(two_runs.root), stored.Stored)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(ResourceError, match="cannot be reached"):
        stored.reader(two_runs.root)


def test_what_it_does_not_know_it_asks_mlflow(two_runs: Project) -> None:
    reader = _reader(two_runs)
    found = reader.search_runs(["1"], filter_string="params.`optimizer.lr` = '0.02'")
    assert [run.info.run_name for run in found] == ["lenet5-poor"]
    assert reader.search_registered_models() == []


def test_a_database_that_is_damaged_is_said(two_runs: Project) -> None:
    reader = _reader(two_runs)
    database = database_file(os.environ["MLFLOW_TRACKING_URI"])
    assert database is not None
    database.write_bytes(b"not a database" * 1000)
    with pytest.raises(ResourceError, match="cannot be reached"):
        listing.recent(reader, None, 10)


def test_listing_and_comparing_import_no_mlflow(two_runs: Project) -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from convoy.cli.app import app; "
        "done = CliRunner().invoke(app, sys.argv[1:]); assert done.exit_code == 0, done.output; "
        "print([n for n in ('mlflow', 'torch', 'sqlalchemy') if n in sys.modules])"
    )
    for words in (["runs"], ["compare", "lenet5-good", "lenet5-poor"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            cwd=two_runs.root,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == "[]", words


def test_the_experiment_of_a_list_needs_no_other_parameter_to_be_right(two_runs: Project) -> None:
    path = two_runs.root / layout.PARAMS
    path.write_text(path.read_text().replace("epochs: 2", "epochs: none"))
    done = subprocess.run(
        [sys.executable, "-c", "from convoy.cli import main; main()", "runs"],
        cwd=two_runs.root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "lenet5-poor" in done.stdout
