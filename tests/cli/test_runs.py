"""`convoy runs`, `convoy compare`, `convoy track sync`."""

import json
import shutil

import pytest

from convoy import layout
from convoy.cli import stage
from convoy.errors import ConfigError, ResourceError
from convoy.training.journal import Journal
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
    for wanted, name in (
        ("lenet5-good", "lenet5-good"),
        ("key-of-g", "lenet5-good"),
        ("digits/1", "digits/1"),
        ("models:/digits@champion", "digits/1"),
    ):
        table = json.loads(convoy("compare", wanted, "lenet5-poor", "--json").out)
        assert [run["name"] for run in table["runs"]] == [name, "lenet5-poor"]
        assert table["params"] == {"optimizer.lr": ["0.01", "0.02"]}
        assert table["metrics"]["test_accuracy"] == {"values": [1.0, 0.75], "difference": [0.0, -0.25]}


def test_the_comparison_is_shown_with_differences(two_runs: Project, convoy: Command) -> None:
    out = convoy("compare", "lenet5-good", "lenet5-poor").out
    assert "0.7500 (-0.2500)" in out
    assert "Parameters that differ" in out


def test_common_test_samples_are_compared_in_pairs(two_runs: Project, convoy: Command) -> None:
    table = json.loads(convoy("compare", "lenet5-good", "lenet5-poor", "--json").out)
    (pair,) = table["against"]
    answers = pair["answers"]
    assert answers["samples"] == 24
    accuracy = answers["metrics"]["test_accuracy"]
    assert (accuracy["values"], accuracy["difference"]) == ([1.0, 0.75], -0.25)
    low, high = accuracy["interval"]
    assert -0.5 < low < -0.25 < high < 0
    assert answers["mcnemar"] == {"only_first_right": 6, "only_other_right": 0, "p": 2 * 0.5**6}
    assert answers["metrics"]["test_log_loss"]["difference"] > 0
    changed = pair["changed_sides"]
    assert changed["count"] == len(changed["first"]) == 6
    assert {row["change"] for row in changed["first"]} == {"lost"}
    assert [row["confidence"][1] for row in changed["first"]] == sorted(
        (row["confidence"][1] for row in changed["first"]), reverse=True
    )
    out = convoy("compare", "lenet5-good", "lenet5-poor").out
    assert "6 samples changed sides" in out
    assert "McNemar's exact p = 0.0312" in out


def test_the_samples_that_changed_sides_are_pictured(two_runs: Project, convoy: Command) -> None:
    page = two_runs.root / "changed.html"
    convoy("compare", "lenet5-good", "lenet5-poor", "--html", page)
    text = page.read_text(encoding="utf-8")
    assert "lenet5-poor: 6 lost, 0 won, against lenet5-good" in text
    assert text.count("data:image/") == 6
    assert "right before, wrong now" in text
    for picture in (two_runs.root / "data" / "raw" / "toy").rglob("*.png"):
        picture.write_bytes(b"another")
    convoy("compare", "lenet5-good", "lenet5-poor", "--html", page)
    assert "data:image/" not in page.read_text(encoding="utf-8")


def test_runs_without_common_predictions_are_compared_all_the_same(project: Project, convoy: Command) -> None:
    (project.root / layout.EVALUATE / "predictions.parquet").unlink()
    convoy("track", "sync")
    project.use("poor")
    convoy("track", "sync")
    assert json.loads(convoy("compare", "lenet5-good", "lenet5-poor", "--json").out)["against"] == [
        {
            "name": "lenet5-poor", "samples": None, "answers": None, "code": None,
            "changed_sides": {"count": 0, "first": []},
        }
    ]  # fmt: skip
    assert "no predictions on common test samples" in convoy("compare", "lenet5-good", "lenet5-poor").out


def test_a_commit_between_two_runs_is_named_with_its_files(project: Project, convoy: Command) -> None:
    convoy("track", "sync")
    project.change("minimum: 0.5", "minimum: 0.6")
    project.commit()
    project.use("poor")
    convoy("track", "sync")
    (pair,) = json.loads(convoy("compare", "lenet5-good", "lenet5-poor", "--json").out)["against"]
    assert [line.partition(" ")[2] for line in pair["code"]["commits"]] == ["a change"]
    assert pair["code"]["files"] == ["params.yaml"]
    assert "a change" in convoy("compare", "lenet5-good", "lenet5-poor").out


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


def test_an_evaluation_that_finds_no_server_is_put_aside_and_sent_later(
    project: Project, convoy: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = project.root / ".convoy" / "runs" / "key-of-good" / "unsent"
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        stage._mirror_evaluation(project.root, project.config)
    assert "cannot be reached" in capsys.readouterr().err
    assert (kept / layout.EVALUATE / "metrics.json").is_file()
    convoy("track", "sync")
    assert not kept.exists()
    (row,) = json.loads(convoy("runs", "--json").out)
    assert row["metrics"]["test_accuracy"] == 1.0


def test_trainings_that_wait_are_sent_where_nothing_else_was_trained(
    project: Project, convoy: Command
) -> None:
    journal = Journal(project.root / ".convoy" / "runs" / "k9" / "journal.jsonl")
    journal.append("start", key="k9", name="killed early", params={}, datasets=[])
    shutil.rmtree(project.root / layout.TRAIN)
    told = json.loads(convoy("track", "sync", "--json").out)
    assert told["run_id"] is None
    (row,) = json.loads(convoy("runs", "--json").out)
    assert (row["id"], row["name"], row["status"]) == (told["earlier"][0], "killed early", "KILLED")
    assert convoy("track", "sync", "--all").out.startswith("earlier trainings that MLflow has now")
