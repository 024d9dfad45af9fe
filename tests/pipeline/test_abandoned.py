"""Only what nobody runs any more is called crashed."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from convoy.owners import Owner
from convoy.pipeline import abandoned


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
    @property
    def prefect(self) -> Prefect:
        assert isinstance(self.server, Prefect)
        return self.server

    def do_POST(self) -> None:
        *_, name, action = self.path.split("/")
        if action == "filter":
            self.answer(self.prefect.runs)
        else:
            self.prefect.told[name] = self.content()
            self.answer(self.prefect.told[name])

    def do_PATCH(self) -> None:
        self.prefect.told[self.path.split("/")[-1]] = self.content()
        self.send_response(204)
        self.end_headers()

    def do_GET(self) -> None:
        self.answer(next(each for each in self.prefect.runs if each["id"] == self.path.split("/")[-1]))

    def content(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, content: Any) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: Any) -> None:
        pass


def ended() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def run(name: str, tags: list[str], state: str = "RUNNING", count: int = 1, deployed: bool = False) -> Any:
    return {
        "id": name.replace(" ", "-"), "name": name, "tags": tags, "state_type": state, "run_count": count,
        "deployment_id": "d" if deployed else None,
    }  # fmt: skip


@pytest.fixture
def prefect() -> Iterator[Prefect]:
    me = Owner.of()
    dead = f"process 1 {replace(me, pid=ended())}"
    runs = [
        run("killed", [dead]),
        run("reused", [f"process 1 {replace(me, ticks=me.ticks - 1)}"]),
        run("to be cancelled", [dead], "CANCELLING"),
        run("never begun", [dead], "PENDING", 0),
        run("alive", [abandoned.tag()]),
        run("elsewhere", [f"process 1 {replace(me, host='another-host', pid=1)}"]),
        run("of a worker", []),
        run("tried again by a worker", [dead], "RUNNING", 2, deployed=True),
        run("about to be tried again", [dead], "PENDING", 1, deployed=True),
        run("scheduled", [], "SCHEDULED", 0, deployed=True),
        run("somebody's words", ["process", "process 1 x", "nightly"]),
    ]
    server = Prefect(runs)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_runs_whose_process_is_gone_are_called_crashed(prefect: Prefect) -> None:
    gone = ["killed", "reused", "to be cancelled", "never begun"]
    assert abandoned.mark(prefect.url, act=False) == gone
    assert prefect.told == {}
    assert abandoned.mark(prefect.url) == gone
    assert list(prefect.told) == [name.replace(" ", "-") for name in gone]
    assert prefect.told["killed"]["state"]["type"] == "CRASHED"
    assert prefect.told["killed"]["force"] is True
    assert prefect.told["to-be-cancelled"]["state"]["type"] == "CANCELLED"


def test_a_flow_run_that_a_worker_began_gets_its_process_and_loses_that_of_an_earlier_attempt(
    prefect: Prefect,
) -> None:
    prefect.runs = [run("one", ["nightly", "process 1 x"], "RUNNING", 2, deployed=True)]
    abandoned.claim(prefect.url, "one")
    assert prefect.told["one"] == {"tags": ["nightly", abandoned.tag(2)]}


def test_a_flow_run_that_names_its_process_is_left_as_it_is(prefect: Prefect) -> None:
    prefect.runs = [run("one", [abandoned.tag()])]
    abandoned.claim(prefect.url, "one")
    assert prefect.told == {}


@pytest.mark.parametrize(("state", "said"), [("CANCELLING", True), ("CANCELLED", True), ("RUNNING", False)])
def test_prefect_says_whether_a_run_was_cancelled(state: str, said: bool, prefect: Prefect) -> None:
    prefect.runs = [run("one", [], state)]
    assert abandoned.cancelled(prefect.url, "one") is said


def test_a_server_that_is_away_is_no_error() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert abandoned.mark(f"http://127.0.0.1:{probe.getsockname()[1]}/api") == []
