"""What the project's database is said to know is what MLflow would have said; all else is left to MLflow."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from convoy import io, layout
from convoy.pipeline import recorded, summary
from convoy.registry import promotion
from convoy.registry.client import database_file, tracking_uri
from tests.registry import fixtures
from tests.registry.fixtures import Project

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project


@pytest.fixture
def registered(project: Project) -> Project:
    """A project whose bundle is a version with a final verdict."""
    assert summary.conclude(project.root, project.config).receipt.new
    return project


def execute(project: Project, statement: str) -> None:
    database = database_file(tracking_uri(project.root))
    assert database is not None
    with closing(sqlite3.connect(database)) as connection, connection:
        assert connection.execute(statement).rowcount != 0


def find(project: Project) -> summary.Result | None:
    return recorded.find(project.root, project.config)


def test_it_tells_what_mlflow_tells(registered: Project) -> None:
    found = find(registered)
    assert found == summary.conclude(registered.root, registered.config)
    assert found is not None
    assert not found.receipt.new
    assert found.exit_code == 0


def test_mlflow_is_not_asked(registered: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(recorded, "connect", connect)
    monkeypatch.setattr(summary, "connect", connect)
    assert find(registered) is not None


def test_a_final_refusal_is_told_again(project: Project) -> None:
    project.change("minimum: 0.5", "minimum: 0.9")
    project.commit()
    project.use("poor")
    told = summary.conclude(project.root, project.config)
    assert (told.receipt.status, told.exit_code) == ("refused", 6)
    found = find(project)
    assert found is not None
    assert (found.receipt.status, found.exit_code) == ("refused", 6)


def test_a_challenger_is_told_again(registered: Project) -> None:
    registered.use("poor")
    assert find(registered) is None
    told = summary.conclude(registered.root, registered.config)
    found = find(registered)
    assert found is not None
    assert found.receipt.version == "2"
    assert found.receipt.status == told.receipt.status


def test_a_bundle_that_is_not_registered_is_not_known(project: Project) -> None:
    assert find(project) is None
    assert recorded.ask(project.root, project.config) is None
    assert project.client.search_registered_models() == []


def test_a_verdict_that_may_change_is_judged_again(project: Project) -> None:
    (project.root / "new.py").write_text("")
    assert summary.conclude(project.root, project.config).receipt.status == "refused"
    assert find(project) is None
    project.commit()
    asked = recorded.ask(project.root, project.config)
    assert asked is not None
    assert asked.receipt.status == "champion"
    assert find(project) == summary.conclude(project.root, project.config)


def unsent(root: Path) -> None:
    another = root / layout.STATE / "runs/key-of-another"
    shutil.copytree(root / layout.STATE / "runs/key-of-good", another)
    (another / "sent.json").unlink()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: io.write_text(root / layout.BUNDLE / "model_card.md", "edited"),
        lambda root: (root / layout.BUNDLE / "bundle.json").unlink(),
        lambda root: io.write_text(root / layout.EVALUATE / "per_class.csv", "class\n"),
        lambda root: (root / layout.TRAIN / "training.json").unlink(),
        unsent,
    ],
    ids=["a file of the bundle", "no bundle", "the evaluation", "no training", "a journal that waits"],
)
def test_other_artifacts_than_were_sent_are_left_to_mlflow(
    change: Callable[[Path], object], registered: Project
) -> None:
    change(registered.root)
    assert find(registered) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = 'another'",
        "UPDATE runs SET lifecycle_stage = 'deleted'",
        "UPDATE runs SET status = 'RUNNING'",
        "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE name = 'toy'",
        "UPDATE model_versions SET current_stage = 'Deleted_Internal'",
        "UPDATE registered_model_tags SET value = '0' WHERE key = 'convoy.ledger.applied'",
        "UPDATE registered_model_tags SET value = 'x' WHERE key = 'convoy.ledger.applied'",
        "DELETE FROM model_version_tags WHERE key = 'convoy.verdict'",
        "DELETE FROM tags WHERE key = 'convoy.evaluation'",
        "DROP TABLE registered_model_tags",
    ],
)
def test_a_store_that_lacks_or_changed_something_is_left_to_mlflow(
    statement: str, registered: Project
) -> None:
    execute(registered, statement)
    assert find(registered) is None


def test_a_name_or_experiment_that_changed_is_left_to_mlflow(registered: Project) -> None:
    registered.change("model: digits", "model: numbers")
    assert find(registered) is None
    registered.change("model: numbers", "model: digits")
    assert find(registered) is not None
    registered.change("experiment: toy", "experiment: other")
    assert find(registered) is None


@pytest.mark.parametrize(
    ("name", "value"), [("MLFLOW_TRACKING_URI", "http://127.0.0.1:1"), ("MLFLOW_WORKSPACE", "team")]
)
def test_another_store_is_left_to_mlflow(
    name: str, value: str, registered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, name, value)
    assert find(registered) is None


def test_a_promotion_by_hand_is_told(registered: Project) -> None:
    registered.use("poor")
    summary.conclude(registered.root, registered.config)
    promotion.promote(registered.root, registered.client, registered.config, "digits", "2", "because")
    assert find(registered) == summary.conclude(registered.root, registered.config)
