"""A version's bundle straight from a SQLite registry, read-only: importing MLflow takes two seconds.

It answers only where everything is plain: a database of a schema that was looked at, files on this machine,
bytes that are those that were registered. Whatever else there is, it answers None and MLflow is asked, which
also finds the words for what is wrong.
"""

import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from convoy.bundle import contents
from convoy.registry.client import SCHEMAS, database_file
from convoy.registry.versions import BUNDLE_TAG

_REFERENCE = re.compile(r"(?:models:/)?(?P<name>[^@/:]+)(?:@(?P<alias>[^@/]+)|/(?P<version>\d+))")
_QUERY = """
    SELECT v.version, v.storage_location, t.value FROM model_versions v
    JOIN model_version_tags t ON t.workspace = v.workspace AND t.name = v.name AND t.version = v.version
    WHERE v.workspace = 'default' AND v.name = :name
        AND t.key = :tag AND v.current_stage <> 'Deleted_Internal'
"""
_BY_ALIAS = """ AND v.version = (SELECT version FROM registered_model_aliases
    WHERE workspace = 'default' AND name = :name AND alias = :alias)"""


@dataclass(frozen=True)
class Found:
    """A version and the folder of its verified bundle."""

    name: str
    version: str
    digest: str
    folder: Path


def find(uri: str, reference: str) -> Found | None:
    """The version that `lookup.resolve` and `versions.fetch` would find, or None where only they can tell."""
    database, wanted = database_file(uri), _REFERENCE.fullmatch(reference)
    if database is None or wanted is None or not database.is_file() or os.environ.get("MLFLOW_WORKSPACE"):
        return None
    query = _QUERY + (_BY_ALIAS if wanted["alias"] else " AND v.version = :version")
    try:
        address = f"file:{quote(str(database.resolve()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            if schema not in SCHEMAS:
                return None
            rows = connection.execute(query, {**wanted.groupdict(), "tag": BUNDLE_TAG}).fetchall()
    except (sqlite3.Error, TypeError):
        return None
    if len(rows) != 1 or urlsplit(rows[0][1] or "x:").scheme not in ("", "file"):
        return None
    version, location, digest = rows[0]
    folder = Path(url2pathname(urlsplit(location).path)) / "artifacts" / "bundle"
    if not folder.is_dir() or contents.digest(folder) != digest:
        return None
    return Found(wanted["name"], str(version), digest, folder)
