"""`convoy register` and `convoy registry`, as a user sees them."""

import json

import pytest

from convoy.errors import ConfigError, GateRefused
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
    assert "commit your changes, then run `convoy register`" in str(answer.error)
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
