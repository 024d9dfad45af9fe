"""The databases of a stack on PostgreSQL: one for MLflow, one for Prefect, made where they are missing.

    python -m convoy.stack.postgres        makes those of CONVOY_BACKEND, as a container does

No URL that leaves this module holds the password. It travels as PGPASSWORD, which both drivers read, so that
neither `ps` nor a log nor an error message shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from convoy.errors import ConfigError, ResourceError

if TYPE_CHECKING:
    import sqlalchemy

_SSL = ("sslmode",)  # parameters of the URL that both drivers have, under two names
_DUPLICATE = ("42P04", "23505")  # another process made it at the same moment
_NOT_ALLOWED = "42501"


@dataclass(frozen=True)
class Databases:
    """Where MLflow and Prefect keep their tables.

    Attributes:
        mlflow: SQLAlchemy URL, without a password.
        prefect: the same for asyncpg.
        password: for PGPASSWORD; None where none was given: ~/.pgpass, trust or a certificate does.
    """

    mlflow: str
    prefect: str
    password: str | None = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        return {"PGPASSWORD": self.password} if self.password else {}


def databases(url: str) -> Databases:
    """The two databases that belong to `postgresql://USER@HOST:PORT/NAME`: NAME_mlflow and NAME_prefect.

    Raises:
        ConfigError: it is no such URL.
    """
    parsed = _parse(url)
    sslmode = parsed.query.get("sslmode")
    mlflow = _without_password(parsed, parsed.drivername, f"{parsed.database}_mlflow", parsed.query)
    prefect = _without_password(
        parsed,
        "postgresql+asyncpg",
        f"{parsed.database}_prefect",
        {"ssl": sslmode} if sslmode else {},
    )
    return Databases(mlflow, prefect, str(parsed.password) if parsed.password else None)


def make(url: str) -> list[str]:
    """Create the databases that are missing; their names.

    Raises:
        ConfigError: it is no URL of PostgreSQL.
        ResourceError: the server cannot be reached, or the user may not create databases.
    """
    import sqlalchemy

    parsed = _parse(url)
    engine = _connectable(parsed)
    made = []
    try:
        with engine.connect() as connection:
            known = {
                str(row[0]) for row in connection.execute(sqlalchemy.text("SELECT datname FROM pg_database"))
            }
            for name in (f"{parsed.database}_mlflow", f"{parsed.database}_prefect"):
                if name not in known and _create(connection, name, parsed.username):
                    made.append(name)
    finally:
        engine.dispose()
    return made


def has_password(url: str) -> bool:
    return _parse(url).password is not None


def _without_password(
    parsed: "sqlalchemy.URL", driver: str, database: str, query: Mapping[str, str | tuple[str, ...]]
) -> str:
    from sqlalchemy.engine import URL

    made = URL.create(driver, parsed.username, None, parsed.host, parsed.port, database, query)
    return made.render_as_string(hide_password=False)


def _parse(url: str) -> "sqlalchemy.URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    usual = "postgresql://USER@HOST:5432/NAME"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number
        raise ConfigError("the backend is no URL", fix=f"it looks like {usual}") from None
    if parsed.drivername not in ("postgresql", "postgres"):
        raise ConfigError(
            f"the backend {parsed.drivername} is not supported",
            fix=f"PostgreSQL is: {usual}; or none: SQLite",
        )
    if not parsed.host or not parsed.database:
        raise ConfigError("the backend's URL names no host or no database", fix=f"it looks like {usual}")
    others = sorted(set(parsed.query) - set(_SSL))
    if others:
        raise ConfigError(
            f"parameters of the backend's URL are not supported: {', '.join(others)}",
            fix="sslmode is; other things can be set in the environment (PGSSLROOTCERT, PGPASSFILE …)",
        )
    return parsed.set(drivername="postgresql+psycopg2")


def _connectable(parsed: "sqlalchemy.URL") -> "sqlalchemy.Engine":
    """An engine on the named database, or where that does not exist, on `postgres`."""
    import sqlalchemy
    from sqlalchemy.pool import NullPool

    last: sqlalchemy.exc.OperationalError | None = None
    for database in (parsed.database, "postgres"):
        try:
            engine = sqlalchemy.create_engine(
                parsed.set(database=database), poolclass=NullPool, isolation_level="AUTOCOMMIT",
                connect_args={"connect_timeout": 10},
            )  # fmt: skip
            engine.connect().close()
        except ModuleNotFoundError as error:
            raise ResourceError(
                f"PostgreSQL needs a package that is not installed: {error.name}",
                fix='pip install "convoy[team]"',
            ) from None
        except sqlalchemy.exc.OperationalError as error:
            last = error
            if "does not exist" in str(error.orig) and "database" in str(error.orig):
                continue
            break
        else:
            return engine
    first = str(last.orig if last else "").strip().splitlines()[0]
    raise ResourceError(
        "PostgreSQL cannot be reached",
        where=f"{parsed.host}:{parsed.port or 5432}: {first[:200]}",
        fix="start it, mend the URL, or give the password as PGPASSWORD or in ~/.pgpass",
    ) from None


def _create(connection: "sqlalchemy.Connection", name: str, user: str | None) -> bool:
    import sqlalchemy

    quoted = connection.dialect.identifier_preparer.quote(name)
    try:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {quoted} ENCODING 'UTF8' TEMPLATE template0"))
    except sqlalchemy.exc.DBAPIError as error:
        code = getattr(error.orig, "pgcode", None)
        if code in _DUPLICATE:
            return False
        if code == _NOT_ALLOWED:
            raise ResourceError(
                f"{user or 'this user'} may not create the database {name}",
                fix=f"as an administrator: CREATE DATABASE {quoted} OWNER {user or 'USER'} ENCODING 'UTF8' "
                "TEMPLATE template0",
            ) from None
        raise
    return True


def main() -> None:
    """`python -m convoy.stack.postgres`: make the databases of CONVOY_BACKEND; for containers."""
    import os
    import sys

    from convoy.errors import ConvoyError

    try:
        for name in make(os.environ["CONVOY_BACKEND"]):
            sys.stdout.write(f"made the database {name}\n")
    except ConvoyError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
