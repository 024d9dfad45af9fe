"""Prefect's server answers only under its own names, and no pages of other sites."""

import asyncio
from typing import Any

import pytest

from convoy.serving.limits import Hosts
from convoy.stack.prefect_server import Guarded

HOME = "127.0.0.1:4200"


def ask(kind: str, *, host: str = HOME, origin: str = "", path: str = "/api/flow_runs/filter") -> list[Any]:
    """What the server sends; the application behind the guard sends "reached"."""
    sent: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "reached"})

    async def receive() -> Any:
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin else [])
    scope = {"type": kind, "path": path, "headers": headers}
    asyncio.run(Guarded(application, Hosts("127.0.0.1", ["team.example"]))(scope, receive, send))
    return sent


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("host", [HOME, "localhost:4200", "team.example", "[::1]:4200"])
def test_own_names_are_answered(kind: str, host: str) -> None:
    assert ask(kind, host=host, origin=f"http://{host}") == [{"type": "reached"}]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4200", "127.0.0.1.evil.example", "192.0.2.1"])
def test_a_foreign_host_is_refused(host: str) -> None:
    assert ask("http", host=host)[0]["status"] == 403
    assert ask("websocket", host=host)[0]["type"] == "websocket.close"


@pytest.mark.parametrize("origin", ["http://evil.example", "https://team.example.evil", "null"])
def test_a_foreign_page_is_refused(origin: str) -> None:
    assert ask("http", origin=origin)[0]["status"] == 403
    assert ask("websocket", origin=origin)[0]["type"] == "websocket.close"


def test_a_probe_may_use_any_name_but_come_from_no_page() -> None:
    assert ask("http", host="10.0.0.7:4200", path="/api/health") == [{"type": "reached"}]
    assert ask("http", host="x", origin="http://evil.example", path="/api/health")[0]["status"] == 403


def test_what_is_no_request_passes() -> None:
    assert ask("lifespan") == [{"type": "reached"}]
