"""Ports: free ones, and who has the others."""

import errno
import socket
from collections.abc import Callable, Iterable
from typing import Any

from convoy.errors import ConfigError, ResourceError

_NEXT = 50  # ports looked at after a taken one


def choose(
    name: str, host: str, wanted: int, *, insist: bool, taken: Iterable[int], say: Callable[[str], None]
) -> int:
    """The wanted port, or where it is taken and nobody insists, the next free one, which is said.

    Args:
        name: of the server, as it is shown.
        insist: the user named this port.
        taken: ports that are promised to others.

    Raises:
        ConfigError: the host is no address of this machine.
        ResourceError: the port that the user named is taken; the message says by whom and which is free.
    """
    promised = set(taken)
    if wanted not in promised and _free(host, wanted):
        return wanted
    other = next((p for p in range(wanted + 1, wanted + _NEXT) if p not in promised and _free(host, p)), 0)
    other = other or _any(host)
    who = owner(wanted) or ("this command" if wanted in promised else "a process of another user")
    if insist:
        raise ResourceError(f"port {wanted} for {name} is taken by {who}", fix=f"port {other} is free")
    say(f"port {wanted} is taken by {who}; {name} takes {other}")
    return other


def owner(port: int) -> str:
    """Process id and command of who listens on a port; empty where the system does not tell."""
    import psutil

    for connection in _listening():
        if connection.laddr.port == port and connection.pid:
            try:
                process = psutil.Process(connection.pid)
                return f"process {process.pid} ({' '.join(process.cmdline())[:80].strip()})"
            except psutil.Error:
                return f"process {connection.pid}"
    return ""


def held(pid: int) -> list[tuple[str, int]]:
    """Addresses on which a process or one that it started listens."""
    import psutil

    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    found = []
    for process in family:
        try:
            connections = process.net_connections("tcp")
        except psutil.Error:
            continue
        found += [(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN]
    return sorted(set(found))


def _listening() -> list[Any]:
    import psutil

    try:
        every = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS shows a user only his own processes' connections, one by one
        return []
    return [connection for connection in every if connection.status == psutil.CONN_LISTEN]


def _free(host: str, port: int) -> bool:
    """Whether a server could bind. Somebody on all addresses takes the port of each."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise ConfigError(
                    f"{host} is no address of this machine", fix="use --host 127.0.0.1"
                ) from None
            return False
    return True


def _any(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
