"""Garbage collection: what an alias or a move in the ledger names stays."""

from pathlib import Path

import pytest

from convoy.errors import ConfigError
from convoy.registry import cleaning, ledger, tracking, versions
from convoy.registry.register import register
from tests.registry.fixtures import Project


def _register(project: Project) -> str:
    return register(project.root, project.config, tracking.sync(project.root, project.config)).version


@pytest.fixture
def refused(project: Project) -> Project:
    """Version 1 is champion; version 2 was refused."""
    _register(project)
    project.change("minimum: 0.5", "minimum: 0.8")
    project.commit()
    project.use("poor")
    assert _register(project) == "2"
    return project


def _folders(project: Project) -> list[Path]:
    return sorted((project.root / ".convoy" / "mlflow" / "artifacts").rglob("MLmodel"))


def test_a_refused_version_goes_with_its_files_and_the_ledger_says_so(refused: Project) -> None:
    client = refused.client
    (row,) = cleaning.leftovers(client, "digits")
    assert (row.version, row.status, row.shared) == ("2", "refused", False)
    assert row.bytes is not None
    assert row.bytes > 10_000
    before = _folders(refused)
    assert len(before) == 2
    assert [row.version for row in cleaning.remove(refused.root, client, "digits", ["1", "2"])] == ["2"]
    assert [str(v.version) for v in client.search_model_versions("name = 'digits'")] == ["1"]
    assert len(_folders(refused)) == 1
    entry = ledger.read(client, "digits")[-1]
    assert (entry["action"], entry["version"], entry["alias"]) == ("gc", "2", None)
    assert ledger.problems(client, "digits") == []
    assert cleaning.leftovers(client, "digits") == []


def test_the_same_bundle_can_be_registered_again_afterwards(refused: Project) -> None:
    cleaning.remove(refused.root, refused.client, "digits", ["2"])
    assert _register(refused) == "3"
    assert versions.fetch(refused.client, refused.client.get_model_version("digits", "3"), Path()).is_dir()


def test_what_an_alias_names_stays_although_the_ledger_does_not_know_it(refused: Project) -> None:
    refused.client.set_registered_model_alias("digits", "customer", "2")
    assert cleaning.leftovers(refused.client, "digits") == []


def test_what_the_ledger_moved_an_alias_to_stays_although_no_alias_is_left(project: Project) -> None:
    project.use("poor")
    _register(project)
    project.use("good")
    _register(project)
    for alias in ("champion", "previous"):
        project.client.delete_registered_model_alias("digits", alias)
    assert cleaning.leftovers(project.client, "digits") == []
    assert cleaning.remove(project.root, project.client, "digits", ["1", "2"]) == []


def test_files_that_another_version_is_made_of_stay(refused: Project) -> None:
    client = refused.client
    made = client.get_model_version("digits", "2")
    client.create_registered_model("other")
    client.create_model_version("other", source=made.source, run_id=made.run_id, tags=dict(made.tags))
    (row,) = cleaning.leftovers(client, "digits")
    assert row.shared
    cleaning.remove(refused.root, client, "digits", ["2"])
    assert len(_folders(refused)) == 2
    assert versions.fetch(client, client.get_model_version("other", "1"), Path()).is_dir()


def test_an_unknown_model_has_nothing_to_collect(project: Project) -> None:
    with pytest.raises(ConfigError, match="no model is called 'nobody'"):
        cleaning.leftovers(project.client, "nobody")
