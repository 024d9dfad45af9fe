"""What a server takes on: whom it answers, how much it reads, how long it works.

Refusals come before the body is read where they can. A refused client that is still sending gets its answer
at once and is then read from for a moment, without keeping anything, or the reset of the connection would
overtake the answer.
"""

import asyncio
import hmac
import ipaddress
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any

from convoy.serving.metrics import Metrics

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = ("/", "/ping")  # answered without the token: they tell nothing
_MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Of one server.

    Attributes:
        body: bytes of one request.
        held: bytes of all requests together.
        pictures: in one request.
        active: requests at a time.
        receive: seconds for a body to arrive.
        answer: seconds for an answer to be found.
        linger: seconds that a refused client is read from.
    """

    body: int = 16 * _MIB
    held: int = 256 * _MIB
    pictures: int = 256
    active: int = 64
    receive: float = 30.0
    answer: float = 30.0
    linger: float = 2.0


class Refused(Exception):
    """A request that is not answered: HTTP status, reason, and what was wrong with which picture."""

    def __init__(self, status: int, detail: str, problems: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.problems = list(problems)

    def body(self) -> bytes:
        content = {"detail": self.detail, "problems": self.problems}
        return json.dumps(content, ensure_ascii=False).encode()

    def headers(self) -> list[tuple[bytes, bytes]]:
        found = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self.body()))]
        if self.status == 503:
            found.append((b"retry-after", b"1"))
        if self.status == 401:
            found.append((b"www-authenticate", b"Bearer"))
        return found


class Hosts:
    """Names under which the server may be asked, against DNS rebinding.

    A page that has its own name resolve to this machine sends that name. An address instead of a name cannot
    have been rebound, so servers for other machines take any; servers for this one take loopback's alone.
    """

    def __init__(self, bound: str, more: Iterable[str] = ()) -> None:
        self._loopback = is_loopback(bound)
        self._names = {"localhost", bound.lower(), *(name.lower() for name in more)}
        if not self._loopback:
            self._names.add(socket.gethostname().lower())
        self._known: dict[str, bool] = {}

    def allows(self, header: str) -> bool:
        if header not in self._known:
            if len(self._known) > 1000:
                self._known.clear()
            self._known[header] = self._judge(header)
        return self._known[header]

    def _judge(self, header: str) -> bool:
        name = header.lower()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._loopback


def is_loopback(host: str) -> bool:
    """Whether an address, or every address of a name, is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(address).is_loopback for address in found)


class Guard:
    """The application behind its limits, as ASGI.

    Args:
        application: what is guarded; it knows the routes of `routes`, others count as "other".
        token: that requests must bear, except for OPEN; None on loopback.
    """

    def __init__(
        self,
        application: Application,
        *,
        limits: Limits,
        hosts: Hosts,
        token: str | None,
        metrics: Metrics,
        routes: Iterable[str],
    ) -> None:
        self._application = application
        self._limits, self._hosts, self._metrics = limits, hosts, metrics
        self._token = f"Bearer {token}".encode() if token else None
        self._routes = frozenset(routes)
        self._active = 0
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        exchange = _Exchange(self, scope, receive, send)
        started = time.perf_counter()
        self._active += 1
        self._metrics.active(1)
        try:
            try:
                self._admit(scope, exchange)
                await self._application(scope, exchange.receive, exchange.send)
            except Refused as refused:
                await exchange.refuse(refused)
        finally:
            self._active -= 1
            self._metrics.active(-1)
            self._held -= exchange.read
            route = scope["path"] if scope["path"] in self._routes else "other"
            self._metrics.request(route, exchange.status, time.perf_counter() - started)

    def hold(self, size: int) -> None:
        """Raises:
        Refused: all requests together hold too many bytes.
        """
        self._held += size
        if self._held > self._limits.held:
            raise Refused(503, "the server holds too much data; try again")

    @property
    def limits(self) -> Limits:
        return self._limits

    def _admit(self, scope: Scope, exchange: "_Exchange") -> None:
        headers = exchange.headers
        if not self._hosts.allows(headers.get(b"host", b"").decode("latin-1")):
            raise Refused(421, "this server does not answer to that Host; --allowed-host adds a name")
        origin = headers.get(b"origin")
        if origin is not None and not self._hosts.allows(origin.decode("latin-1").partition("://")[2]):
            raise Refused(403, "requests from pages of other sites are not answered")
        if self._token is not None and scope["path"] not in OPEN:
            given = headers.get(b"authorization", b"")
            if not hmac.compare_digest(given, self._token):
                raise Refused(401, "send the header Authorization: Bearer TOKEN")
        if exchange.length > self._limits.body:
            raise Refused(413, f"the request is larger than {self._limits.body} bytes")
        if self._active > self._limits.active:
            raise Refused(503, f"{self._limits.active} requests are under way; try again")


class _Exchange:
    """One request and its answer, counted and timed."""

    def __init__(self, guard: Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self._guard, self._receive, self._send = guard, receive, send
        self.headers = dict(scope["headers"])
        declared = self.headers.get(b"content-length", b"0")
        self.length = int(declared) if declared.isdigit() else 0
        self._whole = self.length == 0 and b"transfer-encoding" not in self.headers
        self._deadline = time.monotonic() + guard.limits.receive
        self.read = 0
        self.status = 500

    async def receive(self) -> Message:
        """Raises:
        Refused: the body is too large or too slow.
        """
        if self._whole:
            return await self._receive()
        try:
            async with asyncio.timeout(self._deadline - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            raise Refused(408, f"no whole request within {self._guard.limits.receive:g} s") from None
        if message["type"] == "http.request":
            size = len(message.get("body", b""))
            self.read += size
            if self.read > self._guard.limits.body:
                raise Refused(413, f"the request is larger than {self._guard.limits.body} bytes")
            self._guard.hold(size)
            self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()), *_HEADERS, *([] if self._whole else [(b"connection", b"close")])
            ]  # fmt: skip
        elif not self._whole and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def refuse(self, refused: Refused) -> None:
        start = {"type": "http.response.start", "status": refused.status, "headers": refused.headers()}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": refused.body()})

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(self._guard.limits.linger):
                while not self._whole:
                    message = await self._receive()
                    self._whole = message["type"] != "http.request" or not message.get("more_body", False)
        except TimeoutError:
            pass


_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
