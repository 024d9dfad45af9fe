"""Addresses: taken, refused with who has them, or protected by a token."""

import os
import socket
from pathlib import Path

import pytest

from convoy.errors import ConfigError, ResourceError
from convoy.serving import listen


def test_a_taken_port_says_by_whom_and_offers_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ResourceError) as caught:
            listen.bind("127.0.0.1", port)
    assert f"port {port} is taken by process {os.getpid()}" in caught.value.what
    offered = int(caught.value.fix.split()[1])
    listen.bind("127.0.0.1", offered).close()


def test_nobody_owns_a_free_port() -> None:
    with listen.bind("127.0.0.1", 0) as sock:
        assert listen.owner(sock.getsockname()[1]) == ""  # bound, and not listening


def test_hosts_that_are_not_here_are_refused() -> None:
    with pytest.raises(ConfigError, match="no address of this machine"):
        listen.bind("192.0.2.1", 0)
    with pytest.raises(ConfigError, match="there is no host"):
        listen.bind("no.such.host.invalid", 0)


def test_the_address_can_be_opened_in_a_browser() -> None:
    with listen.bind("127.0.0.1", 0) as sock:
        assert listen.address(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_a_token_only_this_machine_is_served(host: str) -> None:
    with pytest.raises(ConfigError, match="nothing protects the server"):
        listen.read_token(host, None)
    assert listen.read_token("127.0.0.1", None) is None


def test_a_token_is_one_line_that_nobody_guesses(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("0123456789abcdef\n")
    assert listen.read_token("0.0.0.0", file) == "0123456789abcdef"
    for weak in ("", "short", "two lines of\nsome length each", "with spaces in between"):
        file.write_text(weak)
        with pytest.raises(ConfigError, match="at least 16"):
            listen.read_token("0.0.0.0", file)


def test_answers_do_not_wait_for_acknowledgements() -> None:
    """asyncio sets TCP_NODELAY on the connections of sockets that say so."""
    with listen.bind("127.0.0.1", 0) as sock:
        assert sock.proto == socket.IPPROTO_TCP
