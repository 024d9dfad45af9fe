"""The one way to MLflow: quiet, behind a lock at first contact, with an error that says when it is away."""

import hashlib
import importlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from filelock import FileLock

from convoy import standing
from convoy.environment import default_tracking_uri, state_dir
from convoy.errors import ResourceError
from convoy.io import atomic_path
from convoy.registry.common_lock import common_lock

REGISTRY = "registry"  # the lock of whoever changes models, versions or aliases

SCHEMAS = frozenset({"dc11669786a5"})  # of SQLite that are read directly: Alembic's names of MLflow 3.17's

_SETTINGS = {
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # convoy replays later; nobody waits minutes for a server
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_POLL_SECONDS = 0.01  # between two looks at a lock that another process holds
# For a server to say that it is there: one that hangs keeps a connection open for ever.
_ANSWER_SECONDS = 10.0
_BUSY_SECONDS = 90.0  # for another program to let go of a SQLite database


def tracking_uri(root: Path | None) -> str:
    """MLFLOW_TRACKING_URI, or the project's own SQLite database.

    Raises:
        ResourceError: neither is known.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given:
        return given
    if root is None:
        raise ResourceError(
            "no MLflow server is named",
            fix="run this in a convoy project, or set MLFLOW_TRACKING_URI",
        )
    return default_tracking_uri(root)


def connect(root: Path | None) -> Any:
    """An MlflowClient that has reached its server; a new database gets its schema here, under a lock.

    Args:
        root: of the project; None outside of one.

    Raises:
        ResourceError: the server or database cannot be reached.
    """
    uri = tracking_uri(root)
    _set()
    logging.getLogger("alembic").setLevel(logging.WARNING)
    import mlflow

    mlflow.set_tracking_uri(uri)
    with reached(uri), lock(root, "mlflow"):
        _probe(uri)
        client = mlflow.MlflowClient(uri)
        client.search_experiments(max_results=1)
        client.search_registered_models(max_results=1)
    return client


def warm() -> None:
    """Import MLflow in a thread, for a process that waits for others and will `connect`: it takes seconds."""
    _set()
    threading.Thread(target=_imported, name="mlflow").start()


def _imported() -> None:
    importlib.import_module("mlflow.pyfunc")
    requirements = importlib.import_module("mlflow.utils.requirements_utils")
    look = getattr(requirements, "_init_modules_to_packages_map", None)  # for every model
    if look is not None:
        look()


def _set() -> None:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)


@contextmanager
def reached(uri: str) -> Iterator[None]:
    """Turn the failure to reach the server into a ResourceError that names it; others pass."""
    import requests
    import sqlalchemy.exc
    from mlflow.exceptions import MlflowException

    away = (
        requests.RequestException,
        sqlalchemy.exc.DBAPIError,
        sqlite3.Error,
        ConnectionError,
        TimeoutError,
    )
    try:
        yield
    except away as error:
        raise unreachable(uri, error) from error
    except MlflowException as error:
        temporary = error.error_code == "TEMPORARILY_UNAVAILABLE" or "API request to" in str(error)
        cause = error.__cause__ or error.__context__
        if temporary or isinstance(cause, away):
            raise unreachable(uri, error) from error
        raise


@contextmanager
def lock(root: Path | None, name: str) -> Iterator[None]:
    """Let one process at a time do what NAME stands for.

    The lock belongs to the tracking store, so that clones that share it wait for each other: a file beside
    a SQLite database, an advisory lock in PostgreSQL. Behind HTTP the lock of the registry lies in the
    registry itself (`common_lock`), and where the server is the project's own stack on its own SQLite, that
    file is held, too. Of other things a server takes care; there a file in the project does, if there is one.

    Raises:
        ResourceError: there can be no lock: the folder or the database refuses it.
    """
    uri = tracking_uri(root)
    if uri.startswith("postgresql"):
        with _advisory_lock(uri, name):
            yield
    elif uri.startswith(("http://", "https://")) and name == REGISTRY:
        import mlflow

        client = mlflow.MlflowClient(uri)
        with _file_lock(root, _behind(root, uri), name), reached(uri), common_lock(client, name):
            yield
    else:
        with _file_lock(root, uri, name):
            yield


def _behind(root: Path | None, uri: str) -> str:
    """The database of the project's own stack, if that is what an address leads to; else the address."""
    found = standing.find(root) if root is not None else None
    own = root is not None and found is not None and (found.mlflow, found.backend) == (uri, "sqlite")
    return default_tracking_uri(root) if root is not None and own else uri


@contextmanager
def _file_lock(root: Path | None, uri: str, name: str) -> Iterator[None]:
    """A file beside a SQLite database, else in the project; none outside of one."""
    database = database_file(uri)
    folder = database.resolve().parent / "locks" if database else state_dir(root) / "locks" if root else None
    if folder is None:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(folder / f"{name}.lock")
        held.acquire(poll_interval=_POLL_SECONDS)
    except OSError as error:
        raise unreachable(uri, error) from error
    try:
        yield
    finally:
        held.release()


@contextmanager
def _advisory_lock(uri: str, name: str) -> Iterator[None]:
    """pg_advisory_lock on a connection of its own; PostgreSQL releases it when the process ends, however.

    https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
    """
    import sqlalchemy
    from sqlalchemy.pool import NullPool

    number = {"number": int.from_bytes(hashlib.sha256(f"convoy:{name}".encode()).digest()[:8], signed=True)}
    try:
        engine = sqlalchemy.create_engine(uri, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    except ImportError as error:
        raise ResourceError(
            f"PostgreSQL needs a driver that is not installed: {error.name}",
            where=shown(uri),
            fix="`pip install psycopg2-binary`",
        ) from None
    try:
        with reached(uri):
            connection = engine.connect()
            connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:number)"), number)
        try:
            yield
            connection.execute(sqlalchemy.text("SELECT pg_advisory_unlock(:number)"), number)
        finally:
            connection.close()
    finally:
        engine.dispose()


def database_file(uri: str) -> Path | None:
    """The file of a SQLite URI; None for any other."""
    path = uri.removeprefix("sqlite:///")
    return Path(path) if path != uri and path else None


def shown(uri: str) -> str:
    """A URI without its password."""
    parts = urlsplit(uri)
    if parts.password is None:
        return uri
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{parts.netloc.rpartition('@')[2]}"))


def artifact_root(database: Path) -> str:
    """Where runs keep their files when the database is a local file: beside it."""
    return (database.resolve().parent / "artifacts").as_uri()


def _probe(uri: str) -> None:
    """Reach the server or database before MLflow does, which would try for minutes and warn all the while.

    A SQLite database that another program holds is waited for: MLflow itself gives up after 20 s, amid what
    it does.
    """
    database = database_file(uri)
    if database is not None:
        if not database.exists():
            _create(database)
        with closing(sqlite3.connect(database, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_READONLY:  # which may still be read
                    raise
    elif uri.startswith(("http://", "https://")):
        from mlflow.utils import credentials, rest_utils

        how: dict[str, Any] = {"timeout": _ANSWER_SECONDS, "max_retries": 0, "raise_on_status": False}
        ask: Any = rest_utils.http_request  # MLflow is half typed
        login: Any = credentials.get_default_host_creds
        ask(login(uri), "/health", "GET", **how)  # any answer will do: a proxy may not know the path
    else:
        import sqlalchemy

        engine = sqlalchemy.create_engine(uri)
        engine.connect().close()
        engine.dispose()


def _create(database: Path) -> None:
    """A database with MLflow's schema, made elsewhere and moved into place when it is complete.

    MLflow makes its schema in many steps; a process that is killed among them leaves a database that
    no later one can open.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store: Any = SqlAlchemyStore  # MLflow is half typed
    database.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(database) as temporary:
        store(f"sqlite:///{temporary}", artifact_root(database))._dispose_engine()


def unreachable(uri: str, error: Exception) -> ResourceError:
    """What is said of a server or database that does not answer."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return ResourceError(
        "the MLflow server cannot be reached",
        where=f"{shown(uri)}: {first[:300]}",
        fix="start it, or mend MLFLOW_TRACKING_URI; then `convoy track sync` sends what is missing",
    )
