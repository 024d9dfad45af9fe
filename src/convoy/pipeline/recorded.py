"""The end of a run that has nothing to do: what MLflow and the registry know of these artifacts already."""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from convoy.bundle import contents
from convoy.errors import IntegrityError
from convoy.io import read_json, sha256_tree
from convoy.layout import BUNDLE, EVALUATE, TRAIN
from convoy.pipeline import summary
from convoy.registry import ledger, outbox, promotion, runs, tracking, versions
from convoy.registry.client import SCHEMAS, connect, database_file, reached, tracking_uri
from convoy.registry.register import Receipt

if TYPE_CHECKING:
    from convoy.config.schema import Config

_VERSIONS = """
    SELECT v.version, v.run_id FROM model_versions v
    JOIN model_version_tags t ON t.workspace = v.workspace AND t.name = v.name AND t.version = v.version
    WHERE v.workspace = 'default' AND v.name = :name
        AND t.key = :tag AND t.value = :digest AND v.current_stage <> 'Deleted_Internal'
"""
_VERSION_TAGS = """
    SELECT key, value FROM model_version_tags
    WHERE workspace = 'default' AND name = :name AND version = :version
"""
_MODEL_TAGS = "SELECT key, value FROM registered_model_tags WHERE workspace = 'default' AND name = :name"
_KEYS = """
    SELECT t.value, r.run_uuid, r.name, r.status, r.lifecycle_stage FROM tags t
    JOIN runs r ON r.run_uuid = t.run_uuid
    JOIN experiments e ON e.experiment_id = r.experiment_id
    WHERE t.key = :tag AND e.workspace = 'default' AND e.name = :experiment AND e.lifecycle_stage = 'active'
"""
_RUN_TAG = "SELECT value FROM tags WHERE run_uuid = :run AND key = :tag"


@dataclass(frozen=True)
class _Run:
    id: str
    name: str
    status: str
    active: bool


def find(root: Path, config: "Config") -> summary.Result | None:
    """What `summary.conclude` would return and had nothing to do for; None where it must be asked.

    Read from the project's SQLite database, without MLflow, whose import and connection take two seconds.
    """
    database = database_file(tracking_uri(root))
    if database is None or not database.is_file() or os.environ.get("MLFLOW_WORKSPACE"):
        return None
    try:
        address = f"file:{quote(str(database.resolve()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return _find(connection, root, config) if schema in SCHEMAS else None
    except (sqlite3.Error, TypeError, ValueError, OSError, IntegrityError):
        return None  # MLflow finds the words for what is wrong


def ask(root: Path, config: "Config") -> summary.Result | None:
    """The same through MLflow, where the bundle is a registered version; None where it is not.

    A verdict that may change (a tree that was not committed) is looked at again.

    Raises:
        as `summary.conclude`.
    """
    client = connect(root)
    with reached(tracking_uri(root)):
        version = versions.find(client, config.registration.model, contents.digest(root / BUNDLE))
    return None if version is None else summary.conclude(root, config)


def _find(connection: sqlite3.Connection, root: Path, config: "Config") -> summary.Result | None:
    contents.info(root / BUNDLE)
    digest, name = contents.digest(root / BUNDLE), config.registration.model
    known = {"name": name, "tag": versions.BUNDLE_TAG, "digest": digest}
    found = connection.execute(_VERSIONS, known).fetchall()
    if len(found) != 1 or not _settled(connection, name):
        return None
    ((version, run_id),) = found
    tags = dict(connection.execute(_VERSION_TAGS, {"name": name, "version": version}).fetchall())
    verdict = promotion.stored_verdict(SimpleNamespace(tags=tags))
    if verdict is None or not verdict.final:
        return None
    training = read_json(root / TRAIN / "training.json")
    run = _mirrored(connection, root, config, training)
    if run is None or run.id != run_id:
        return None
    receipt = Receipt(name, str(version), verdict.status, False, digest, run_id, verdict.as_dict())
    return summary.Result(
        receipt, read_json(root / EVALUATE / "metrics.json"), training, run.name, "", summary.report(root, "")
    )


def _settled(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the last decision of the ledger was carried out."""
    tags = dict(connection.execute(_MODEL_TAGS, {"name": name}).fetchall())
    client = SimpleNamespace(get_registered_model=lambda _name: SimpleNamespace(tags=tags))
    return ledger.pending(client, name) is None


def _mirrored(
    connection: sqlite3.Connection, root: Path, config: "Config", training: Mapping[str, Any]
) -> _Run | None:
    """The run of this training, where it has everything and no other journal waits to be sent."""
    wanted = {"tag": runs.KEY_TAG, "experiment": config.tracking.experiment}
    by_key: dict[str, list[_Run]] = {}
    for key, run_id, name, status, stage in connection.execute(_KEYS, wanted):
        by_key.setdefault(key, []).append(_Run(run_id, name, status, stage == "active"))
    active = [run for run in by_key.get(training["key"], []) if run.active]
    if len(active) != 1 or active[0].status != "FINISHED" or any(outbox.waiting(root, tracking_uri(root))):
        return None
    evaluation = {"run": active[0].id, "tag": tracking.EVALUATION_TAG}
    sent = connection.execute(_RUN_TAG, evaluation).fetchone()
    return active[0] if sent == (sha256_tree(root / EVALUATE),) else None
