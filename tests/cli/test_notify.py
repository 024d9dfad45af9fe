"""`convoy notify`: tries the addresses and lists the services, and shows no address."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from convoy.errors import ConfigError, ResourceError
from tests.notify import conftest
from tests.notify.conftest import SECRET
from tests.notify.robots import Robot
from tests.registry import fixtures
from tests.registry.fixtures import Command

convoy = fixtures.convoy
listener = conftest.listener
project = conftest.project

Make = Callable[..., Path]


def test_a_test_message_goes_to_every_address(
    convoy: Command, project: Make, listener: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(listener.address("a"), listener.address("b")))
    answer = convoy("notify", "test", "你好", "--json")
    assert answer.error is None
    assert [row["ok"] for row in json.loads(answer.out)] == [True, True]
    assert {path for path, _ in listener.messages} == {"/a", "/b"}
    assert {body["message"] for body in listener.bodies} == {"你好"}


def test_one_that_fails_is_named_by_its_place(
    convoy: Command, project: Make, listener: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(listener.address(), f"dingtalk://{SECRET}!"))
    answer = convoy("notify", "test")
    assert isinstance(answer.error, ResourceError)
    assert answer.error.where == "dingtalk (2)"
    assert SECRET not in answer.out + answer.err + str(answer.error)


def test_the_list_shows_services_and_events_and_sends_nothing(
    convoy: Command, project: Make, listener: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(f"feishu://{SECRET}/", listener.address(SECRET), events=["failed"]))
    shown = convoy("notify", "list")
    assert "Feishu" in shown.out
    assert "told of: failed" in shown.out
    found = json.loads(convoy("notify", "list", "--json").out)
    assert [row["service"] for row in found["services"]] == ["Feishu", "JSON"]
    assert found["events"] == ["failed"]
    assert SECRET not in shown.out + json.dumps(found)
    assert listener.messages == []


def test_without_an_address_it_says_how_to_give_one(
    convoy: Command, project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(events=["failed"]))
    answer = convoy("notify", "test")
    assert isinstance(answer.error, ConfigError)
    assert "CONVOY_NOTIFY_URLS" in str(answer.error)
