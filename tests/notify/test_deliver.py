"""The messages as the services of Chinese and other teams take them, and their refusals."""

import importlib
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from apprise import Apprise

from convoy.notify import services
from convoy.notify.deliver import Order, Outcome, deliver
from tests.notify.conftest import SECRET
from tests.notify.robots import Robot

TITLE, BODY = "数字: 训练失败", "错误 3: 图片“猫.png”损坏\ntry: convoy explain"


with warnings.catch_warnings():  # a plugin imports what Python 3.13 lacks
    warnings.simplefilter("ignore", DeprecationWarning)
    Apprise.instantiate("json://localhost")


def send(*addresses: str, kind: str | None = "failure") -> list[Outcome]:
    found: list[Outcome] = []
    deliver(Order(list(addresses), None, TITLE, BODY, kind), found.append)
    return sorted(found, key=lambda outcome: outcome.number)


def _dingtalk(body: Any) -> str:
    assert body["msgtype"] == "text"
    return str(body["text"]["content"])


def _wecom(body: Any) -> str:
    assert body["msgtype"] == "text"
    return str(body["text"]["content"])


def _feishu(body: Any) -> str:
    assert body["msg_type"] == "text"
    return str(body["content"]["text"])


ROBOTS = {
    "dingtalk": ("dingtalk", "NotifyDingTalk", "/robot/send?access_token={token}", _dingtalk),
    "wecom": ("wecombot", "NotifyWeComBot", "/cgi-bin/webhook/send?key={key}", _wecom),
    "feishu": ("feishu", "NotifyFeishu", "/open-apis/bot/v2/hook/{token}/", _feishu),
}


@pytest.fixture
def redirected(monkeypatch: pytest.MonkeyPatch, listener: Robot) -> Callable[[str], str]:
    """Points a service at the listener; its address."""

    def at(name: str) -> str:
        scheme, plugin, path, _ = ROBOTS[name]
        module = importlib.import_module(f"apprise.plugins.{scheme}")
        monkeypatch.setattr(getattr(module, plugin), "notify_url", listener.url(path))
        return f"{scheme}://{SECRET}/"

    return at


@pytest.mark.parametrize("name", sorted(ROBOTS))
def test_a_robot_gets_title_and_body_in_its_own_form(
    name: str, redirected: Callable[[str], str], listener: Robot
) -> None:
    listener.answer = b'{"errcode": 0, "code": 0, "StatusCode": 0, "errmsg": "ok"}'
    [outcome] = send(redirected(name))
    assert outcome.ok, outcome
    [(path, body)] = listener.messages
    assert SECRET in path
    text = ROBOTS[name][3](body)
    assert TITLE in text
    assert BODY in text


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("dingtalk", {"errcode": 310000, "errmsg": f"关键词不匹配 {SECRET}"}),
        ("wecom", {"errcode": 93000, "errmsg": f"invalid webhook url, hint: {SECRET}"}),
        ("feishu", {"code": 19024, "msg": f"Key Words Not Found {SECRET}"}),
    ],
    ids=["dingtalk", "wecom", "feishu"],
)
def test_a_robot_that_says_no_in_an_answer_of_status_200_has_not_taken_it(
    name: str, answer: dict[str, Any], redirected: Callable[[str], str], listener: Robot
) -> None:
    listener.answer = json.dumps(answer).encode()
    [outcome] = send(redirected(name))
    assert not outcome.ok
    assert str(answer.get("errcode", answer.get("code"))) in outcome.reason
    assert SECRET not in outcome.reason


def test_asking_which_services_there_are_sends_nothing(listener: Robot) -> None:
    found = send(listener.address(), "dingtalk://abcdefgh", "mailto://me:pass@example.org", kind=None)
    assert [(o.service, o.ok) for o in found] == [("JSON", True), ("DingTalk", True), ("E-Mail", True)]
    assert listener.messages == []


def test_what_is_masked_is_every_part_of_an_address_in_either_spelling() -> None:
    address = "mailto://user%40corp:p%23ssw0rd@mail.example.org?to=boss@example.org"
    said = "user@corp with p#ssw0rd (p%23ssw0rd) at mail.example.org wrote to boss"
    left = services.masked(said, [address])
    for part in ("user@corp", "p#ssw0rd", "p%23ssw0rd", "mail.example.org", "boss"):
        assert part not in left
    assert "wrote" in left


@pytest.mark.parametrize("body", [b"ok", b"", b"[1]", b'{"errcode": 0}', b'{"code": "x"}', b'{"ok": true}'])
def test_other_answers_are_no_refusal(body: bytes) -> None:
    assert services.refusal(body) == ""
