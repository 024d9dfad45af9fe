"""`convoy runs`, `convoy compare`, `convoy track sync`."""

import json

import pytest

from convoy.errors import ConfigError, ResourceError
from tests.registry import fixtures
from tests.registry.fixtures import Command, Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project
convoy = fixtures.convoy


@pytest.fixture
def two_runs(project: Project, convoy: Command) -> Project:
    convoy("track", "sync")
    project.use("poor")
    convoy("track", "sync")
    return project


def test_the_runs_are_listed_with_what_differs(two_runs: Project, convoy: Command) -> None:
    table = convoy("runs").out
    for part in ("lenet5-good", "lenet5-poor", "finished", "optimizer.lr", "1.0000", "0.7500"):
        assert part in table
    assert "model.name" not in table  # it is the same in both
    rows = json.loads(convoy("runs", "--json", "--limit", "1").out)
    assert [row["name"] for row in rows] == ["lenet5-poor"]


def test_no_runs_are_no_table(project: Project, convoy: Command) -> None:
    assert "no runs yet" in convoy("runs").out


def test_runs_are_compared_by_name_key_and_version(two_runs: Project, convoy: Command) -> None:
    two_runs.use("good")
    convoy("register")
    for wanted in ("lenet5-good", "key-of-g", "digits/1", "models:/digits@champion"):
        table = json.loads(convoy("compare", wanted, "lenet5-poor", "--json").out)
        assert [run["name"] for run in table["runs"]] == ["lenet5-good", "lenet5-poor"]
        assert table["params"] == {"optimizer.lr": ["0.01", "0.02"]}
        assert table["metrics"]["test_accuracy"] == {"values": [1.0, 0.75], "difference": [0.0, -0.25]}


def test_the_comparison_is_shown_with_differences(two_runs: Project, convoy: Command) -> None:
    out = convoy("compare", "lenet5-good", "lenet5-poor").out
    assert "0.7500 (-0.2500)" in out
    assert "Parameters that differ" in out


def test_origins_that_differ_are_shown(project: Project, convoy: Command) -> None:
    convoy("track", "sync")
    project.change("minimum: 0.5", "minimum: 0.6")
    project.use("poor")
    convoy("track", "sync")
    table = json.loads(convoy("compare", "lenet5-good", "lenet5-poor", "--json").out)
    assert table["provenance"] == {"dirty": ["false", "true"]}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (["lenet5-good"], "one run is nothing to compare"),
        (["lenet5-good", "nobody"], "no run is called 'nobody'"),
        (["lenet5-good", "key"], "2 runs are called 'key'"),
    ],
)
def test_wrong_names_are_explained(
    two_runs: Project, convoy: Command, wanted: list[str], message: str
) -> None:
    answer = convoy("compare", *wanted)
    assert isinstance(answer.error, ConfigError)
    assert message in str(answer.error)


def test_syncing_twice_is_one_run(project: Project, convoy: Command) -> None:
    first = json.loads(convoy("track", "sync", "--json").out)
    assert json.loads(convoy("track", "sync", "--json").out) == first
    assert first["run_id"] in convoy("track", "sync").out


def test_syncing_without_a_server_is_a_resource_error(
    project: Project, convoy: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert isinstance(convoy("track", "sync").error, ResourceError)
