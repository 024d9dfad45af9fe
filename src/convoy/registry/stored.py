"""Runs straight from MLflow's SQLite database, read-only: importing MLflow takes two seconds.

`Stored` answers what reading commands ask of an MlflowClient, in the same shapes; whatever else it is asked,
and artifacts that are not files of this machine, it leaves to MLflow.
"""

import math
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from convoy import standing
from convoy.environment import default_tracking_uri
from convoy.registry.client import SCHEMAS, connect, database_file, tracking_uri, unreachable

_EXPERIMENTS = """
    SELECT experiment_id, name FROM experiments WHERE workspace = 'default' AND lifecycle_stage = 'active'
"""
_RUNS = """
    SELECT run_uuid, name, status, start_time, end_time, artifact_uri, experiment_id, lifecycle_stage
    FROM runs
"""
_PARTS = {
    "params": "SELECT run_uuid, key, value FROM params",
    "tags": "SELECT run_uuid, key, value FROM tags",
    "metrics": "SELECT run_uuid, key, CASE is_nan WHEN 1 THEN NULL ELSE value END FROM latest_metrics",
}


@dataclass(frozen=True)
class Experiment:
    experiment_id: str
    name: str


@dataclass(frozen=True)
class Info:
    """As `mlflow.entities.RunInfo`; times in milliseconds since the epoch."""

    run_id: str
    run_name: str
    status: str
    start_time: int | None
    end_time: int | None
    artifact_uri: str
    experiment_id: str
    lifecycle_stage: str


@dataclass(frozen=True)
class Data:
    """As `mlflow.entities.RunData`; of each metric the last value."""

    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    info: Info
    data: Data


@dataclass(frozen=True)
class Artifact:
    """`path` is relative to the run's artifacts."""

    path: str


def reader(root: Path | None) -> Any:
    """A `Stored` where the runs lie in a database that it knows, else an MlflowClient.

    Args:
        root: of the project; None outside of one.

    Raises:
        ResourceError: the server or database cannot be reached.
    """
    database = _database(root)
    if database is not None and _known(database):
        return Stored(database, lambda: connect(root))
    return connect(root)


def _database(root: Path | None) -> Path | None:
    """The project's own one is read in the same way while `convoy up` keeps a server in front of it."""
    uri = tracking_uri(root)
    stack = standing.find(root) if root else None
    if root and stack and stack.backend == "sqlite" and uri == stack.mlflow:
        uri = default_tracking_uri(root)
    return None if os.environ.get("MLFLOW_WORKSPACE") else database_file(uri)


def _known(database: Path) -> bool:
    try:
        with closing(_open(database)) as connection:
            (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except (sqlite3.Error, TypeError):
        return False
    return schema in SCHEMAS


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(database.resolve()))}?mode=ro", uri=True)


class Stored:
    """The reading part of an MlflowClient.

    Args:
        rest: makes the client that answers everything else.
    """

    def __init__(self, database: Path, rest: Callable[[], Any]) -> None:
        self._database = database
        self._connect = rest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rest, name)

    @cached_property
    def _rest(self) -> Any:
        return self._connect()

    def search_experiments(self) -> list[Experiment]:
        return [Experiment(str(number), name) for number, name in self._rows(_EXPERIMENTS)]

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        return next((each for each in self.search_experiments() if each.name == name), None)

    def search_runs(self, experiment_ids: Sequence[str], **how: Any) -> list[Run]:
        """Those that were not deleted, the newest first: what `collecting` asks for, and nothing else."""
        if how.keys() != {"order_by", "max_results"} or how["order_by"] != ["attributes.start_time DESC"]:
            return cast(list[Run], self._rest.search_runs(experiment_ids, **how))
        where = (
            f"WHERE lifecycle_stage = 'active' AND experiment_id IN ({_marks(experiment_ids)}) "
            "ORDER BY start_time DESC, run_uuid LIMIT ?"
        )
        return self._runs(where, [*map(int, experiment_ids), int(how["max_results"])])

    def get_run(self, run_id: str) -> Run:
        found = self._runs("WHERE run_uuid = ?", [run_id])
        return found[0] if found else cast(Run, self._rest.get_run(run_id))

    def list_artifacts(self, run_id: str, path: str = "") -> list[Any]:
        folder = self._artifacts(run_id)
        if folder is None:
            return cast(list[Any], self._rest.list_artifacts(run_id, path))
        found = sorted((folder / path).iterdir()) if (folder / path).is_dir() else []
        return [Artifact(each.relative_to(folder).as_posix()) for each in found]

    def download_artifacts(self, run_id: str, path: str, target: str) -> str:
        """Where an artifact lies; files of this machine are not copied."""
        folder = self._artifacts(run_id)
        return str(self._rest.download_artifacts(run_id, path, target) if folder is None else folder / path)

    def bundle(self, reference: str) -> Path | None:
        """The verified bundle of a version, where `shortcut` finds it."""
        from convoy.registry import shortcut  # OpenCV and onnxruntime

        found = shortcut.find(f"sqlite:///{self._database}", reference)
        return found.folder if found else None

    def _artifacts(self, run_id: str) -> Path | None:
        """The folder of a run's artifacts, where that is one of this machine."""
        parts = urlsplit(self.get_run(run_id).info.artifact_uri)
        return Path(url2pathname(parts.path)) if parts.scheme in ("", "file") else None

    def _runs(self, where: str, values: Sequence[Any]) -> list[Run]:
        infos = [Info(*_named(row)) for row in self._rows(f"{_RUNS} {where}", values)]
        ids = [info.run_id for info in infos]
        parts = {
            name: _by_run(self._rows(f"{query} WHERE run_uuid IN ({_marks(ids)})", ids))
            for name, query in _PARTS.items()
        }
        return [
            Run(info, Data(**{name: found.get(info.run_id, {}) for name, found in parts.items()}))
            for info in infos
        ]

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            with closing(_open(self._database)) as connection:
                return connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise unreachable(f"sqlite:///{self._database}", error) from error


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" for _ in values)


def _named(row: tuple[Any, ...]) -> list[Any]:
    *before, experiment, stage = row
    return [*before, str(experiment), stage]


def _by_run(rows: Iterable[tuple[str, str, Any]]) -> Mapping[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for run_id, key, value in rows:
        found.setdefault(run_id, {})[key] = math.nan if value is None else value
    return found
