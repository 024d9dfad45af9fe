"""`convoy register` and `convoy registry`, as a user sees them."""

import json

import pytest

from convoy.errors import ConfigError, GateRefused, IntegrityError, ResourceError
from tests.registry import fixtures
from tests.registry.fixtures import Command, Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project
convoy = fixtures.convoy


@pytest.fixture
def two_versions(project: Project, convoy: Command) -> Project:
    """Version 1 is champion, version 2 (worse) is challenger."""
    convoy("register")
    project.use("poor")
    convoy("register")
    return project


def test_registering_says_what_became_of_the_bundle(project: Project, convoy: Command) -> None:
    assert "digits version 1 registered: champion" in convoy("register").out
    assert "digits version 1 was registered already: champion" in convoy("register").out


def test_registering_prints_json_when_asked(project: Project, convoy: Command) -> None:
    receipt = json.loads(convoy("register", "--json").out)
    assert (receipt["name"], receipt["version"], receipt["status"], receipt["new"]) == (
        "digits", "1", "champion", True,
    )  # fmt: skip


def test_a_dirty_tree_is_told_how_to_go_on(project: Project, convoy: Command) -> None:
    project.change("minimum: 0.5", "minimum: 0.6")
    answer = convoy("register")
    assert isinstance(answer.error, GateRefused)
    assert "commit, ignore or remove them, then run `convoy register`" in str(answer.error)
    assert "not committed: params.yaml" in str(answer.error)
    assert "digits version 1 registered: refused" in answer.out


def test_the_list_shows_versions_aliases_and_verdicts(two_versions: Project, convoy: Command) -> None:
    rows = json.loads(convoy("registry", "list", "--json").out)
    assert [(row["version"], row["aliases"], row["status"]) for row in rows] == [
        ("2", ["challenger"], "challenger"),
        ("1", ["champion"], "champion"),
    ]
    table = convoy("registry", "list", "digits").out
    assert "champion" in table
    assert "0.7500" in table


def test_an_empty_registry_says_so(project: Project, convoy: Command) -> None:
    assert "no model is registered yet" in convoy("registry", "list").out
    assert json.loads(convoy("registry", "list", "--json").out) == []


def test_one_version_is_shown_with_lineage_and_numbers(two_versions: Project, convoy: Command) -> None:
    shown = json.loads(convoy("registry", "show", "digits", "@challenger", "--json").out)
    assert shown["version"] == "2"
    assert shown["verdict"]["comparison"]["samples"] == 24
    assert len(shown["lineage"]["commit"]) == 40
    text = convoy("registry", "show").out  # the project's model, the champion
    assert "digits version 1" in text
    assert "the first model that passes" in text
    assert "data_digest" in text


def test_the_history_tells_every_decision(two_versions: Project, convoy: Command) -> None:
    entries = json.loads(convoy("registry", "history", "digits", "--json").out)
    assert [(e["action"], e["alias"], e["to"]) for e in entries] == [
        ("gate", "champion", "1"),
        ("gate", "challenger", "2"),
    ]
    assert "gate" in convoy("registry", "history", "digits").out


def test_the_history_says_when_it_is_not_what_was_written(two_versions: Project, convoy: Command) -> None:
    assert convoy("registry", "history").err == ""
    two_versions.client.set_registered_model_alias("digits", "champion", "2")
    assert "alias champion is 2, the ledger's last move made it 1" in convoy("registry", "history").err


def test_promotion_is_refused_overridden_and_rolled_back(two_versions: Project, convoy: Command) -> None:
    assert isinstance(convoy("registry", "promote", "digits", "2").error, GateRefused)
    forced = convoy("registry", "promote", "digits", "@challenger", "--override", "a demo")
    assert "digits version 2 is champion: override: a demo" in forced.out
    back = convoy("registry", "rollback", "digits", "--why", "the demo is over")
    assert "champion is version 1 again (was 2)" in back.out
    last = json.loads(convoy("registry", "history", "digits", "--json").out)[-1]
    assert (last["action"], last["why"]) == ("rollback", "the demo is over")


@pytest.mark.parametrize("command", ["list", "show", "history", "rollback"])
def test_an_unknown_model_is_named_with_those_there_are(
    two_versions: Project, convoy: Command, command: str
) -> None:
    answer = convoy("registry", command, "digit")
    assert isinstance(answer.error, ConfigError)
    assert "'digit'" in str(answer.error)
    assert "there are: digits" in str(answer.error)


def test_outside_of_a_project_and_without_a_server_it_is_a_config_error(
    project: Project, convoy: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root.parent)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert isinstance(convoy("registry", "list").error, ConfigError)


def test_the_rules_are_a_table_in_register_and_show(two_versions: Project, convoy: Command) -> None:
    for out in (convoy("register").out, convoy("registry", "show", "digits", "@challenger").out):
        assert "not worse" in out
        assert "made from a committed tree" in out
        assert "not more than the margin" in out
    shown = convoy("registry", "show").out
    assert "optimizer.lr" in shown


def test_a_clearly_worse_model_is_refused_with_exit_6_and_its_interval(
    project: Project, convoy: Command
) -> None:
    project.change("non_inferiority: 0.1", "non_inferiority: 0.05")
    project.commit()
    convoy("register")
    project.use("poor")
    answer = convoy("register")
    assert isinstance(answer.error, GateRefused)
    assert answer.error.exit_code == 6
    assert "FAILED" in answer.out
    assert "-0.2500 [" in answer.out
    aliases = json.loads(convoy("registry", "list", "--json").out)
    assert [(row["version"], row["aliases"]) for row in aliases] == [("2", []), ("1", ["champion"])]


def test_two_versions_are_compared(two_versions: Project, convoy: Command) -> None:
    for wanted in (("1", "2"), ("@champion", "@challenger"), ("digits/1", "models:/digits/2")):
        table = json.loads(convoy("registry", "diff", *wanted, "--json").out)
        assert [run["name"] for run in table["runs"]] == ["digits/1", "digits/2"]
        assert table["params"] == {"optimizer.lr": ["0.01", "0.02"]}
        assert table["metrics"]["test_accuracy"]["values"] == [1.0, 0.75]
        (pair,) = table["against"]
        assert pair["samples"]["complete"]
        assert pair["answers"]["mcnemar"]["only_first_right"] == 6
    out = convoy("registry", "diff", "1", "2").out
    assert "the same samples under the same labels" in out


def test_collecting_says_what_would_go_asks_and_removes(project: Project, convoy: Command) -> None:
    project.change("minimum: 0.5", "minimum: 0.8")
    project.commit()
    project.use("poor")
    convoy("register")
    assert "0.7500 is below the minimum" in convoy("registry", "gc", "--dry-run").out
    assert convoy("registry", "gc").error is not None  # nobody answers the question
    assert len(json.loads(convoy("registry", "list", "--json").out)) == 1
    removed = json.loads(convoy("registry", "gc", "--yes", "--json").out)
    assert [row["version"] for row in removed["versions"]] == ["1"]
    assert json.loads(convoy("registry", "list", "--json").out) == []
    assert "every version is named" in convoy("registry", "gc").out


def test_a_sample_is_followed_to_the_models(two_versions: Project, convoy: Command) -> None:
    picture = next((two_versions.root / "data" / "raw" / "toy").rglob("train *.png"))
    found = json.loads(convoy("data", "where", picture, "--json").out)
    assert [(use["version"], use["learned"]) for use in found["uses"]] == [("1", True), ("2", True)]
    out = convoy("data", "where", picture).out
    assert "2 of 2 versions learned from it" in out
    for path in (two_versions.root / ".convoy").rglob("artifacts/bundle/samples.parquet"):
        path.write_bytes(b"x")
    answer = convoy("data", "where", picture)
    assert isinstance(answer.error, IntegrityError)
    assert "0 of 0 versions" in answer.out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("show", "../digits"), "is no name of a model"),
        (("show", "digits", "@nobody"), "has no alias 'nobody'"),
        (("show", "digits", "@latest"), "MLflow reserves it"),
        (("show", "digits", "@v2"), "MLflow reserves it"),
        (("show", "digits", "99"), "has no version 99"),
        (("show", "digits", "../1"), "names no model version"),
        (("promote", "../digits", "1"), "is no name of a model"),
        (("promote", "digits", "@nobody"), "has no alias 'nobody'"),
        (("promote", "digits", "latest"), "names no model version"),
        (("rollback", "..\\digits"), "is no name of a model"),
        (("gc", "../digits"), "is no name of a model"),
        (("diff", "digits/1", "../1"), "is no name of a model"),
    ],
)
def test_bad_names_are_refused_and_nothing_moves(
    two_versions: Project, convoy: Command, command: tuple[str, ...], message: str
) -> None:
    before = convoy("registry", "list", "--json").out, convoy("registry", "history", "--json").out
    answer = convoy("registry", *command)
    assert isinstance(answer.error, ConfigError)
    assert message in str(answer.error)
    after = convoy("registry", "list", "--json").out, convoy("registry", "history", "--json").out
    assert after == before


@pytest.mark.parametrize("command", ["list", "history", "show", "gc"])
def test_a_registry_that_cannot_be_reached_is_a_resource_error(
    project: Project, convoy: Command, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    answer = convoy("registry", command)
    assert isinstance(answer.error, ResourceError)
    assert "cannot be reached" in str(answer.error)
