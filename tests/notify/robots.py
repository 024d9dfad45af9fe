"""A server on loopback that takes what senders send, and answers what the test wants."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Robot:
    """What arrived, and what is answered.

    Attributes:
        messages: (path with query, JSON body) in order.
        hangs: requests wait until the test is over.
    """

    port: int = 0
    status: int = 200
    answer: bytes = b"{}"
    hangs: bool = False
    messages: list[tuple[str, Any]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def bodies(self) -> list[Any]:
        return [body for _, body in self.messages]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def address(self, token: str = "") -> str:
        return f"json://127.0.0.1:{self.port}/{token}"


@contextmanager
def robot(**how: Any) -> Iterator[Robot]:
    found = Robot(**how)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            path = urlsplit(self.path)
            found.messages.append(
                (f"{path.path}?{path.query}" if path.query else path.path, json.loads(body))
            )
            if found.hangs:
                found.over.wait(60)
                return
            self.send_response(found.status)
            self.send_header("content-length", str(len(found.answer)))
            self.end_headers()
            self.wfile.write(found.answer)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        found.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
