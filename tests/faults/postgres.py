"""A PostgreSQL of the tests' own: on loopback, in a new folder, under a user that may run it."""

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil

from tests.faults.servers import free_port, wait_until

_DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """The folder that holds initdb and postgres; None where they are not installed."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    found = sorted(_DEBIAN.glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Postgres:
    """A database server that can be killed and started again; no password, loopback alone."""

    def __init__(self, folder: Path, where: Path) -> None:
        self._folder = folder
        self._programs = where
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @classmethod
    def make(cls, where: Path) -> "Postgres":
        made = cls(Path(tempfile.mkdtemp(prefix="convoy-postgres-")), where)
        if made._owner:
            shutil.chown(made._folder, made._owner)
        how = ("--username", "convoy", "--auth", "trust", "--no-sync", "--encoding", "UTF8")
        made._run("initdb", "--pgdata", str(made._data), *how)
        return made

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _owner(self) -> str | None:
        """PostgreSQL refuses root."""
        if os.getuid() != 0:
            return None
        names = {entry.pw_name for entry in pwd.getpwall()}
        return "postgres" if "postgres" in names else "nobody"

    @property
    def _as_owner(self) -> dict[str, Any]:
        return {"user": self._owner, "cwd": self._folder} if self._owner else {"cwd": self._folder}

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / name, *arguments], capture_output=True, check=False, **self._as_owner
        )
        assert done.returncode == 0, done.stderr.decode()

    def start(self) -> None:
        command = [self._programs / "postgres", "-D", self._data, "-p", str(self.port), "-h", "127.0.0.1",
                   "-k", ""]  # fmt: skip  # no socket beside the port
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._as_owner
            )
        wait_until(self._answers, "an answer of PostgreSQL")

    def kill(self) -> None:
        """kill -9; its children notice and end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def start_again(self) -> None:
        """For the next test, where this one left it dead."""
        if self._process is None:
            self.start()

    def remove(self) -> None:
        self.kill()
        wait_until(lambda: not self._children(), "the end of PostgreSQL's children")
        shutil.rmtree(self._folder)

    def create(self, name: str) -> str:
        """A new database; its URI."""
        with self._connection("postgres") as connection:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {name}")
        return f"postgresql://convoy@127.0.0.1:{self.port}/{name}"

    def _connection(self, name: str) -> Any:
        import psycopg2

        return closing(
            psycopg2.connect(host="127.0.0.1", port=self.port, user="convoy", dbname=name, connect_timeout=5)
        )

    def _answers(self) -> bool:
        import psycopg2

        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            with self._connection("postgres"):
                return True
        except psycopg2.OperationalError:
            return False

    def _children(self) -> bool:
        """Whether a process still works in its folder."""
        return any(process.info["cwd"] == str(self._data) for process in psutil.process_iter(["cwd"]))
