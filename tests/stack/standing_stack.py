"""A real `convoy up` of a toy project, on free ports."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from convoy.stack import ports, standing
from convoy.stack.standing import Standing
from tests.project import environment
from tests.servers import free_port, until

CONVOY = (sys.executable, "-c", "from convoy.cli import main; main()")


@dataclass
class Up:
    """A running `convoy up`."""

    root: Path
    process: "subprocess.Popen[bytes]"
    log: Path
    variables: Mapping[str, str]

    @property
    def found(self) -> Standing:
        found = standing.find(self.root)
        assert found is not None, self.log.read_text()
        return found

    def children(self) -> dict[str, int]:
        known = json.loads((self.root / standing.FILE).read_text())
        return {child["name"]: child["pid"] for child in known["children"]}

    def sockets(self) -> set[tuple[str, int]]:
        """Every address on which a process of the stack listens."""
        return set(ports.held(self.process.pid))

    def family(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]

    def convoy(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run_convoy(self.root, *arguments, **{**self.variables, **variables})


def run_convoy(root: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CONVOY, *arguments], cwd=root, env={**environment(root), **variables}, capture_output=True,
        text=True, stdin=subprocess.DEVNULL, timeout=900, check=False,
    )  # fmt: skip


@contextmanager
def up(root: Path, *options: str, **variables: str) -> Iterator[Up]:
    """Start it, wait until it stands; ended by SIGTERM, as by Ctrl-C."""
    log = root.parent / f"{root.name}-up.log"
    named = [part for name in ("mlflow", "prefect", "serve") for part in (f"--{name}-port", str(free_port()))]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*CONVOY, "up", *named, *options], cwd=root, env={**environment(root), **variables},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        until(lambda: process.poll() is not None or standing.find(root) is not None, 400, what="the stack")
        assert process.poll() is None, log.read_text()
        yield Up(root, process, log, variables)
    finally:
        process.terminate()
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(
    url: str,
    path: str,
    *,
    host: str = "",
    origin: str = "",
    body: Any = None,
    headers: Mapping[str, str] = {},
) -> int:
    """The status of an answer to a request with these headers."""
    connection = http.client.HTTPConnection(url.removeprefix("http://").partition("/")[0], timeout=60)
    sent = {**headers, **({"Host": host} if host else {}), **({"Origin": origin} if origin else {})}
    content = None if body is None else json.dumps(body)
    try:
        connection.request("GET" if body is None else "POST", path, content,
                           {**sent, "Content-Type": "application/json"})  # fmt: skip
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
