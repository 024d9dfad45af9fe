"""The address of a server: taken before the model is loaded, or refused with a word on who has it."""

import errno
import socket
from contextlib import suppress
from pathlib import Path

import uvicorn

from convoy.errors import ConfigError, ResourceError
from convoy.serving.limits import Application, is_loopback

_CONNECTIONS = 256  # open ones; idle ones are closed after 5 s
_GRACE = 10  # seconds that answers under way have when the server is stopped
_LEAST = 16  # characters of a token


def read_token(host: str, file: Path | None) -> str | None:
    """The bearer token; None on loopback without a file.

    Raises:
        ConfigError: other machines could ask and no token protects the server, or the token is weak.
    """
    if file is None:
        if is_loopback(host):
            return None
        raise ConfigError(
            f"{host} can be reached from other machines, and nothing protects the server",
            fix="use --host 127.0.0.1, or name a file with a secret: --token-file FILE",
        )
    token = file.read_text(encoding="utf-8").strip()
    if len(token) < _LEAST or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(
            f"the token must be one line of at least {_LEAST} ASCII characters without spaces",
            where=str(file),
            fix="for instance: openssl rand -hex 32 > FILE",
        )
    return token


def bind(host: str, port: int) -> socket.socket:
    """A socket that holds the address and does not listen yet. Port 0 takes any free one.

    Raises:
        ConfigError: the host has no address on this machine.
        ResourceError: the port is taken, or not allowed.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise ConfigError(f"there is no host called {host!r}", fix="use --host 127.0.0.1") from None
    # asyncio switches Nagle's algorithm off only where it reads "TCP" here; with it an answer waits 40 ms
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(address)
    except OSError as error:
        found.close()
        raise _refusal(host, port, error) from None
    return found


def serve(application: Application, sock: socket.socket) -> None:
    """Answer until SIGTERM or SIGINT; then finish what is under way, and let the signal take its course."""
    host, port = sock.getsockname()[:2]
    try:
        sock.listen(socket.SOMAXCONN)
    except OSError as error:  # somebody bound the same address at the same moment
        raise _refusal(host, port, error) from None
    uvicorn.Server(settings(application)).run(sockets=[sock])


def settings(application: Application) -> uvicorn.Config:
    """How uvicorn runs the application: quiet, HTTP only, connections and the wait at the end bounded."""
    return uvicorn.Config(
        application,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE,
    )


def address(sock: socket.socket) -> str:
    """What to open in a browser."""
    host, port = sock.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _refusal(host: str, port: int, error: OSError) -> ConfigError | ResourceError:
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(f"{host} is no address of this machine", fix="use --host 127.0.0.1")
    if error.errno != errno.EADDRINUSE:
        return ResourceError(
            f"port {port} cannot be used: {error.strerror}", fix="use a port above 1023, as --port 8000"
        )
    who = owner(port)
    return ResourceError(
        f"port {port} is taken" + (f" by {who}" if who else ""),
        where=host,
        fix=f"--port {_free(host)} is free",
    )


def _free(host: str) -> int:
    with bind(host, 0) as probe:
        return int(probe.getsockname()[1])


def owner(port: int) -> str:
    """Process id and command of who listens on a port; empty where the system does not tell."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text("ascii").splitlines()[1:]:
                cells = line.split()
                if cells[3] == "0A" and int(cells[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{cells[9]}]")
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        with suppress(OSError):  # of others, or gone
            if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                return f"process {process.name} ({command.strip()[:80]})"
    return ""
