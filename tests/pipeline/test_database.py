"""Prefect's database laid out at once is the one that its migrations make."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from convoy.pipeline import database


def schema(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.fixture(autouse=True)
def _no_database_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)


def test_it_is_written_once(tmp_path: Path) -> None:
    home = tmp_path / "prefect home 主"
    assert database.lay_out(home)
    assert "\n".join(schema(home / "prefect.db")) + "\n" == database.SCHEMA.read_text(encoding="utf-8")
    (home / "prefect.db").write_bytes(b"somebody's")
    assert not database.lay_out(home)
    assert (home / "prefect.db").read_bytes() == b"somebody's"


def test_the_schema_is_one_that_the_installed_prefect_knows() -> None:
    """When this fails after an update: `python -m convoy.pipeline.database`."""
    assert database._known(database.SCHEMA.read_text(encoding="utf-8"))


def test_a_prefect_that_does_not_know_the_schema_makes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "schema.sql"
    text = database.SCHEMA.read_text(encoding="utf-8")
    other.write_text(database._REVISION.sub("INSERT INTO \"alembic_version\" VALUES('ffffffffffff');", text))
    monkeypatch.setattr(database, "SCHEMA", other)
    assert not database.lay_out(tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_a_database_that_the_settings_name_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://host/prefect")
    assert not database.lay_out(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_prefects_own_migrations_end_in_the_same_schema() -> None:
    def lines(text: str) -> list[str]:  # the order of a table's constraints is Prefect's sets'
        return sorted(line.strip().rstrip(",").rstrip() for line in text.splitlines())

    assert lines(database.dump()) == lines(database.SCHEMA.read_text(encoding="utf-8"))
