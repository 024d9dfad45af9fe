"""The short way finds what MLflow finds, and keeps silent wherever something is unusual."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from convoy.environment import default_tracking_uri
from convoy.registry import lookup, shortcut, versions
from tests.registry import fixtures
from tests.registry.fixtures import Command, Project

convoy = fixtures.convoy


@pytest.fixture
def uri(convoy: Command, project: Project) -> str:
    """Of a registry with two versions."""
    convoy("register")
    project.use("poor")
    convoy("register")
    return default_tracking_uri(project.root)


def execute(uri: str, statement: str) -> None:
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    "reference", ["models:/digits@champion", "digits@challenger", "models:/digits/1", "digits/2"]
)
def test_it_finds_what_mlflow_finds(uri: str, project: Project, tmp_path: Path, reference: str) -> None:
    found = shortcut.find(uri, reference)
    version = lookup.resolve(project.client, reference)
    assert found is not None
    assert (found.name, found.version) == (version.name, str(version.version))
    assert found.digest == version.tags[versions.BUNDLE_TAG]
    assert found.folder == versions.fetch(project.client, version, tmp_path)


def test_the_schema_of_the_installed_mlflow_is_one_that_was_looked_at(uri: str) -> None:
    """When this fails after an update: compare the tables, then add the revision."""
    assert shortcut.find(uri, "digits/1") is not None


@pytest.mark.parametrize(
    "reference", ["digits@nobody", "digits/9", "other@champion", "what is this", "models:/../x@champion"]
)
def test_what_is_not_there_is_left_to_mlflow(uri: str, reference: str) -> None:
    assert shortcut.find(uri, reference) is None


def test_a_changed_byte_is_left_to_those_who_name_it(uri: str) -> None:
    found = shortcut.find(uri, "digits@champion")
    assert found is not None
    with (found.folder / "model.onnx").open("r+b") as file:
        file.write(b"x")
    assert shortcut.find(uri, "digits@champion") is None


def test_a_deleted_version_is_not_found(uri: str, project: Project) -> None:
    project.client.delete_model_version("digits", "2")
    assert shortcut.find(uri, "digits/2") is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = 'another'",
        "UPDATE model_versions SET storage_location = 's3://bucket/models/x/artifacts'",
        "UPDATE model_versions SET storage_location = NULL",
        "DELETE FROM model_version_tags",
        "DROP TABLE registered_model_aliases",
    ],
)
def test_another_schema_or_store_is_left_to_mlflow(uri: str, statement: str) -> None:
    execute(uri, statement)
    assert shortcut.find(uri, "digits@champion") is None


def test_other_registries_are_left_to_mlflow(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("http://127.0.0.1:5000", f"sqlite:///{tmp_path}/none.db", "postgresql://x/y"):
        assert shortcut.find(other, "digits@champion") is None
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "text.db").write_text("no database " * 100)
    assert shortcut.find(f"sqlite:///{tmp_path}/text.db", "digits@champion") is None
    monkeypatch.setenv("MLFLOW_WORKSPACE", "team")
    assert shortcut.find(uri, "digits@champion") is None
