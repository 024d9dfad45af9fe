"""A port that somebody has is never taken, and it is said who has it."""

import os
import socket
from collections.abc import Iterator

import pytest

from convoy.errors import ConfigError, ResourceError
from convoy.stack import ports


@pytest.fixture
def stranger() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(1)
        yield sock.getsockname()[1]


def choose(port: int, *, insist: bool = False, taken: tuple[int, ...] = ()) -> tuple[int, list[str]]:
    said: list[str] = []
    found = ports.choose("mlflow", "127.0.0.1", port, insist=insist, taken=taken, say=said.append)
    return found, said


def test_a_taken_port_is_told_with_its_owner_and_another_is_used(stranger: int) -> None:
    found, said = choose(stranger)
    assert found != stranger
    assert f"port {stranger} is taken by process {os.getpid()} (" in said[0]
    assert said[0].endswith(f"; mlflow takes {found}")


def test_a_port_that_the_user_named_is_refused_when_taken(stranger: int) -> None:
    with pytest.raises(ResourceError, match=f"taken by process {os.getpid()}") as caught:
        choose(stranger, insist=True)
    assert "is free" in caught.value.fix


def test_two_servers_of_one_stack_never_get_the_same_port(stranger: int) -> None:
    first, _ = choose(stranger)
    second, said = choose(first, taken=(first,))
    assert second != first
    assert "taken by this command" in said[0]


def test_a_stranger_on_all_addresses_has_the_port_on_loopback_too() -> None:
    with socket.socket() as sock:
        sock.bind(("0.0.0.0", 0))
        sock.listen(1)
        found, _ = choose(sock.getsockname()[1])
        assert found != sock.getsockname()[1]


def test_a_host_that_is_none_of_this_machine_is_a_wrong_option() -> None:
    with pytest.raises(ConfigError, match="no address of this machine"):
        ports.choose("mlflow", "192.0.2.1", 5000, insist=False, taken=(), say=print)


def test_where_a_process_listens_is_known(stranger: int) -> None:
    assert ("127.0.0.1", stranger) in ports.held(os.getpid())
