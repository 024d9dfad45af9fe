"""Prefect's database, laid out in one step instead of a hundred migrations, which take seven seconds.

    python -m convoy.pipeline.database        writes prefect_schema.sql anew, from the installed Prefect

prefect_schema.sql is what Prefect's own migrations (Apache-2.0) leave behind: tables, indexes, and the name
of the last migration. A newer Prefect goes on from there; one that does not know that migration gets no help.
"""

import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock

from convoy.io import atomic_path, write_text

SCHEMA = Path(__file__).with_name("prefect_schema.sql")

_REVISION = re.compile(r'INSERT INTO "alembic_version" VALUES\(\'(\w+)\'\);')
_MIGRATIONS = Path("server", "database", "_migrations", "versions", "sqlite")
_ELSEWHERE = ("PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_")


def lay_out(home: Path) -> bool:
    """Write the database of a PREFECT_HOME that has none; True where it was written.

    Nothing is done where the settings name another database, or Prefect does not know the schema.
    """
    database = home / "prefect.db"
    if database.exists() or any(name.startswith(_ELSEWHERE) for name in os.environ):
        return False
    schema = SCHEMA.read_text(encoding="utf-8")
    if not _known(schema):
        return False
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / ".prefect.db.lock"):  # two first runs at once
        if database.exists():
            return False
        with atomic_path(database) as temporary, closing(sqlite3.connect(temporary)) as connection:
            connection.executescript(schema)
    return True


def damaged(home: Path) -> str:
    """What SQLite finds wrong with the database of a PREFECT_HOME; empty where it is sound or not there.

    It holds the history of flow runs and nothing that a run needs.
    """
    database = home / "prefect.db"
    if not database.is_file():
        return ""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
            ((said, *_), *_) = connection.execute("PRAGMA quick_check(1)").fetchall()
            connection.execute("SELECT count(*) FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        return "" if "locked" in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if said == "ok" else str(said)


def set_aside(home: Path) -> Path:
    """Rename the database and what belongs to it; the new name. `lay_out` then makes a fresh one."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for suffix in ("-wal", "-shm", ""):
        path = home / f"prefect.db{suffix}"
        if path.exists():
            path.replace(home / f"prefect.damaged-{stamp}.db{suffix}")
    return home / f"prefect.damaged-{stamp}.db"


def dump() -> str:
    """The schema as the installed Prefect migrates it."""
    with tempfile.TemporaryDirectory(prefix="convoy-") as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        subprocess.run(
            [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
            env={**environment, "PREFECT_HOME": folder, "PYTHONHASHSEED": "0"},  # constraints come from sets
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        with closing(sqlite3.connect(Path(folder) / "prefect.db")) as connection:
            return "\n".join(connection.iterdump()) + "\n"


def _known(schema: str) -> bool:
    """Whether the installed Prefect has the last migration of the schema; Prefect is not imported."""
    revision, prefect = _REVISION.search(schema), find_spec("prefect")
    if revision is None or prefect is None or prefect.origin is None:
        return False
    return any((Path(prefect.origin).parent / _MIGRATIONS).glob(f"*_{revision[1]}_*.py"))


if __name__ == "__main__":
    write_text(SCHEMA, dump())
