"""Only what nobody runs any more is called crashed."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from convoy.pipeline import abandoned

HERE = socket.gethostname()


class Prefect(HTTPServer):
    """Answers like Prefect's API as far as it is asked here, and keeps what was set."""

    def __init__(self, runs: list[dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.runs = runs
        self.told: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/api"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Prefect)
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        *_, name, action = self.path.split("/")
        if action == "filter":
            answer: Any = server.runs
        else:
            answer = server.told[name] = content
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None:
        pass


def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    tags = {
        "killed": [f"process {HERE} {ended()} 5"],
        "reused": [f"process {HERE} {os.getpid()} 5"],
        "alive": [abandoned.tag()],
        "elsewhere": ["process another-host 1 5"],
        "of a worker": [],
        "somebody's words": ["process", f"process {HERE} x 5", "nightly"],
    }
    server = Prefect([{"id": name, "name": name, "tags": found} for name, found in tags.items()])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_runs_whose_process_is_gone_are_called_crashed(prefect: Prefect) -> None:
    gone = ["killed", "reused"]
    assert abandoned.mark(prefect.url) == gone
    assert list(prefect.told) == gone
    assert prefect.told["killed"]["state"]["type"] == "CRASHED"
    assert prefect.told["killed"]["force"] is True


def test_a_server_that_is_away_is_no_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert abandoned.mark(f"http://127.0.0.1:{probe.getsockname()[1]}/api") == []
