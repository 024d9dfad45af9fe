"""Prefect's server behind a guard: it checks neither the Host nor the Origin of a request by itself.

    python -m convoy.stack.prefect_server

CONVOY_STACK_HOST, CONVOY_STACK_PORT and CONVOY_STACK_ALLOWED (names, with commas) say where it listens and
whom it answers; everything else is Prefect's own settings (PREFECT_…).
"""

import os
from pathlib import Path

import uvicorn

from convoy.pipeline import database
from convoy.serving.limits import Application, Hosts, Receive, Scope, Send

_PROBES = ("/api/health", "/api/ready")  # tell nothing; whoever watches servers asks them by address


class Guarded:
    """An application that answers only under its own names, and no pages of other sites.

    Without it a page on the web could have its own name resolve to this machine and read every run
    (DNS rebinding), or send a run to the worker.
    """

    def __init__(self, application: Application, hosts: Hosts) -> None:
        self._application = application
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not (problem := self._problem(scope)):
            await self._application(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": problem})
            return
        body = problem.encode()
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _problem(self, scope: Scope) -> str:
        headers = dict(scope["headers"])
        if scope["path"] not in _PROBES and not self._hosts.allows(
            headers.get(b"host", b"").decode("latin-1")
        ):
            return "this server does not answer to that Host; `convoy up --allowed-host` adds a name"
        origin = headers.get(b"origin")
        if origin is not None and not self._hosts.allows(origin.decode("latin-1").partition("://")[2]):
            return "requests from pages of other sites are not answered"
        return ""


def main() -> None:
    host, port = os.environ["CONVOY_STACK_HOST"], int(os.environ["CONVOY_STACK_PORT"])
    allowed = [name for name in os.environ.get("CONVOY_STACK_ALLOWED", "").split(",") if name]
    database.lay_out(Path(os.environ["PREFECT_HOME"]))
    from prefect.server.api.server import create_app

    application = Guarded(create_app(final=True), Hosts(host, allowed))
    uvicorn.run(application, host=host, port=port, log_level="warning", timeout_keep_alive=5,
                ws_ping_interval=60, ws_ping_timeout=60, timeout_graceful_shutdown=10)  # fmt: skip


if __name__ == "__main__":
    main()
