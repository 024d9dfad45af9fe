"""A server in this process, on a port of its own, whose bundle the test chooses and exchanges."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from convoy.errors import ConvoyError
from convoy.serving import listen
from convoy.serving.app import guarded
from convoy.serving.keeping import Keeper
from convoy.serving.limits import Hosts, Limits
from convoy.serving.metrics import Metrics
from convoy.serving.model import Live
from convoy.serving.predictor import Predictor
from convoy.serving.source import Reference


class Shelf:
    """A source of bundles without a registry: `put` moves the alias."""

    moves = True

    def __init__(self, bundle: Path) -> None:
        self.folders: dict[str, Path] = {}
        self.broken: ConvoyError | None = None
        self.fetched: list[str] = []
        self.put("1", bundle)

    def put(self, version: str, bundle: Path) -> None:
        self.folders[version] = bundle
        self.now = version

    def resolve(self) -> Reference:
        if self.broken is not None:
            raise self.broken
        return Reference("toy", self.now, f"digest-of-{self.now}")

    def fetch(self, reference: Reference, scratch: Path, /) -> Path:
        self.fetched.append(reference.version)
        return self.folders[reference.version]

    def check(self, bundle: Path, predictor: Predictor) -> None:
        """Anything that loads will do."""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    port: int
    live: Live
    shelf: Shelf

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def upload(self, *contents: bytes, query: str = "", **headers: str) -> Answer:
        kind, body = form(*((f"{n}.png", content) for n, content in enumerate(contents)))
        return self.ask("POST", f"/predict{query}", body, {"content-type": kind, **headers})

    def invoke(self, document: Any, **headers: str) -> Answer:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.ask("POST", "/invocations", body, {"content-type": "application/json", **headers})

    def metric(self, line: str) -> float:
        """The value of a line of /metrics that begins so."""
        for found in self.ask("GET", "/metrics").body.decode().splitlines():
            if found.startswith(line):
                return float(found.rpartition(" ")[2])
        raise AssertionError(f"no metric {line}")

    def raw(self, request: bytes, seconds: float = 10.0) -> bytes:
        """What comes back, to the end of the connection, for bytes that no client library would send."""
        with socket.create_connection(("127.0.0.1", self.port), seconds) as connection:
            connection.sendall(request)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            return answer


def form(*files: tuple[str, bytes], field: str = "files") -> tuple[str, bytes]:
    """Content type and body of multipart/form-data."""
    boundary = "----toy"
    body = b""
    for name, content in files:
        head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"'
        body += f"--{boundary}\r\n{head}\r\nContent-Type: image/png\r\n\r\n".encode() + content + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that another thread brings about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not come true within {seconds:g} s"
        time.sleep(0.02)


@contextmanager
def running(
    bundle: Path,
    *,
    limits: Limits | None = None,
    token: str | None = None,
    interval: float = 60.0,
    allowed: tuple[str, ...] = (),
    keeper: Keeper | None = None,
) -> Iterator[Server]:
    """A server that answers, and is gone afterwards."""
    shelf, metrics = Shelf(bundle), Metrics()
    live = Live(shelf, metrics, interval=interval, keeper=keeper)
    hosts = Hosts("127.0.0.1", allowed)
    application = guarded(live, metrics, limits or Limits(linger=0.5), hosts, token)
    with listen.bind("127.0.0.1", 0) as sock:
        sock.listen(64)
        server = uvicorn.Server(listen.settings(application))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.01)
            yield Server(sock.getsockname()[1], live, shelf)
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()
