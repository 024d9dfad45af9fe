"""The databases of a stack: made once, and no URL shows the password."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from convoy.errors import ConfigError, ResourceError
from convoy.registry import client as connection
from convoy.stack import postgres
from tests import servers

PASSWORD = "canary of PostgreSQL"
programs = servers.postgres_programs()


def test_mlflow_and_prefect_get_a_database_each_and_no_password_in_the_url() -> None:
    found = postgres.databases("postgresql://lin:se%40cret@db.example:5433/team")
    assert found.mlflow == "postgresql+psycopg2://lin@db.example:5433/team_mlflow"
    assert found.prefect == "postgresql+asyncpg://lin@db.example:5433/team_prefect"
    assert found.environment == {"PGPASSWORD": "se@cret"}
    assert "cret" not in repr(found)


def test_encryption_is_asked_for_in_the_words_of_each_driver() -> None:
    found = postgres.databases("postgresql://lin@db/team?sslmode=verify-full")
    assert found.mlflow.endswith("?sslmode=verify-full")
    assert found.prefect.endswith("?ssl=verify-full")
    assert found.environment == {}


@pytest.mark.parametrize(
    ("url", "told"),
    [("mysql://lin:secret@db/team", "mysql is not supported"), ("nonsense:secret", "no URL"),
     ("postgresql:///team", "no host"), ("postgresql://lin:secret@db", "no host or no database"),
     ("postgresql://lin:secret@db:x/team", "no URL"), ("postgresql://lin@db/team?options=-c", "options")],
)  # fmt: skip
def test_what_is_no_url_of_postgresql_is_refused_without_repeating_its_password(url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        postgres.databases(url)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_away_is_a_resource_error_without_its_password() -> None:
    with pytest.raises(ResourceError, match="cannot be reached") as caught:
        postgres.make(f"postgresql://lin:secret@127.0.0.1:{servers.free_port()}/team")
    assert "secret" not in str(caught.value)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert programs is not None
    with servers.postgres(tmp_path_factory.mktemp("pg") / "log", programs, PASSWORD) as address:
        yield address


@pytest.mark.slow
@pytest.mark.skipif(programs is None, reason="PostgreSQL is not installed (Debian: postgresql)")
class TestARealServer:
    def test_missing_databases_are_made_and_found_the_next_time(
        self, server: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        url = f"postgresql://convoy@{server}/Team-1"
        assert postgres.make(url) == ["Team-1_mlflow", "Team-1_prefect"]
        assert postgres.make(url) == []

    def test_a_wrong_password_is_told_and_not_shown(self, server: str) -> None:
        with pytest.raises(ResourceError, match="cannot be reached") as caught:
            postgres.make(f"postgresql://convoy:wrong-canary@{server}/team")
        assert "wrong-canary" not in str(caught.value)

    def test_a_user_who_may_not_create_hears_what_an_administrator_does(
        self, server: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host, _, port = server.partition(":")
        with psycopg2.connect(
            host=host, port=port, user="convoy", password=PASSWORD, dbname="postgres"
        ) as admin:
            admin.cursor().execute("CREATE ROLE guest LOGIN PASSWORD 'a guest'")
        admin.close()
        monkeypatch.setenv("PGPASSWORD", "a guest")
        with pytest.raises(ResourceError, match="guest may not create") as caught:
            postgres.make(f"postgresql://guest@{server}/theirs")
        assert "CREATE DATABASE theirs_mlflow OWNER guest" in caught.value.fix

    def test_the_lock_of_direct_users_is_postgresqls_own(
        self, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host, _, port = server.partition(":")
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql+psycopg2://convoy@{server}/postgres")

        def locks() -> int:
            with psycopg2.connect(host=host, port=port, user="convoy", dbname="postgres") as looking:
                cursor = looking.cursor()
                cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")
                (number,) = cursor.fetchone() or (0,)
            looking.close()
            return int(number)

        with connection.lock(tmp_path, "registry"):
            assert locks() == 1
        assert locks() == 0
