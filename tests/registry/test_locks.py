"""One writer at a time: a lock that belongs to the store, so that two clones wait for each other."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from convoy.errors import ResourceError
from convoy.registry import client as connection

_HOLD = """
import sys
from pathlib import Path
from convoy.registry.client import lock
with lock(Path(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.readline()
"""


def _holder(clone: Path, name: str = "registry") -> "subprocess.Popen[str]":
    """Another process, in another clone, that holds the lock until it is told."""
    clone.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(clone), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def _waits(root: Path, release: "subprocess.Popen[str]", name: str = "registry") -> bool:
    """Whether the lock is had only after the other process let go."""
    taken = threading.Event()

    def take() -> None:
        with connection.lock(root, name):
            taken.set()

    thread = threading.Thread(target=take)
    thread.start()
    waited = not taken.wait(0.4)
    release.communicate("\n", timeout=60)
    thread.join(60)
    assert taken.is_set()
    return waited


def test_two_clones_that_share_a_database_share_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'shared' / 'mlflow.db'}")
    (tmp_path / "clone").mkdir()
    assert _waits(tmp_path / "clone", _holder(tmp_path / "other"))
    assert (tmp_path / "shared" / "locks" / "registry.lock").exists()


def test_a_process_that_was_killed_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    holder = _holder(tmp_path / "other")
    holder.kill()
    holder.communicate()
    with connection.lock(tmp_path, "registry"):
        pass


def test_behind_a_server_the_projects_processes_wait_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert _waits(tmp_path, _holder(tmp_path, "mlflow"), "mlflow")
    with connection.lock(None, "mlflow"):
        pass  # outside of a project there is nothing to wait at


def test_a_folder_that_takes_no_lock_is_a_resource_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}")
    with pytest.raises(ResourceError, match="cannot be reached"), connection.lock(tmp_path, "registry"):
        pass


class Engine:
    """The part of a PostgreSQL engine that the lock uses; says what was executed."""

    def __init__(self, uri: str, **options: Any) -> None:
        self.said: list[str] = []
        self.numbers: set[int] = set()
        self.options = options
        self.disposed = False

    def connect(self) -> "Engine":
        return self

    def close(self) -> None:
        self.said.append("closed")

    def execute(self, statement: Any, values: dict[str, int]) -> None:
        self.said.append(str(statement))
        self.numbers.add(values["number"])

    def dispose(self) -> None:
        self.disposed = True


def test_postgresql_is_locked_by_an_advisory_lock_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg2://convoy@127.0.0.1/mlflow")
    made: list[Engine] = []

    def create(uri: str, **options: Any) -> Engine:
        made.append(Engine(uri, **options))
        return made[-1]

    monkeypatch.setattr(sqlalchemy, "create_engine", create)
    for name in ("registry", "registry", "mlflow"):
        with connection.lock(tmp_path, name):
            assert made[-1].said == ["SELECT pg_advisory_lock(:number)"]
    for engine in made:
        assert engine.said[1:] == ["SELECT pg_advisory_unlock(:number)", "closed"]
        assert engine.disposed
        assert engine.options["isolation_level"] == "AUTOCOMMIT"
    first, again, other = (engine.numbers for engine in made)
    assert first == again != other
    assert all(-(2**63) <= number < 2**63 for engine in made for number in engine.numbers)


def test_a_postgresql_that_is_away_is_a_resource_error_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://convoy:secret@127.0.0.1:9/mlflow")

    class Away(Engine):
        def connect(self) -> Any:
            raise sqlalchemy.exc.OperationalError("SELECT 1", {}, Exception("refused"))

    monkeypatch.setattr(sqlalchemy, "create_engine", Away)
    with pytest.raises(ResourceError) as caught, connection.lock(tmp_path, "registry"):
        pass
    assert "secret" not in str(caught.value)


def test_a_missing_driver_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+nodriver://convoy:secret@127.0.0.1/mlflow")

    def missing(uri: str, **options: Any) -> Engine:
        raise ModuleNotFoundError("No module named 'psycopg2'", name="psycopg2")

    monkeypatch.setattr(sqlalchemy, "create_engine", missing)
    with pytest.raises(ResourceError, match="psycopg2"), connection.lock(tmp_path, "registry"):
        pass
