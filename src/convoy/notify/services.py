"""Addresses of apprise: what may be said of them, and what answers the services give."""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

MASK = "***"
_SHORTEST = 4  # characters of a secret: shorter ones would mask half of every sentence
_PARTS = re.compile(r"[/:@?&=#,;\s]+")
# How robots say no in an answer of status 200: DingTalk, WeCom and WeChat / Feishu and Lark, new and old.
_CODES = {"errcode": "errmsg", "code": "msg", "StatusCode": "StatusMessage"}


def split(text: str) -> list[str]:
    """The addresses in CONVOY_NOTIFY_URLS or a block: one a line, or with spaces between."""
    return text.split()


def kind(address: str) -> str:
    """The scheme, which is all that may be said of an address; "?" where it has none."""
    return address.partition("://")[0] if "://" in address else "?"


def masked(text: str, addresses: Sequence[str]) -> str:
    """A text in which nothing is left of any part of the addresses but the kind of service."""
    secrets = {
        form
        for address in addresses
        for part in _PARTS.split(address.partition("://")[2] or address)
        for form in (part, unquote(part))
        if len(form) >= _SHORTEST
    } | set(addresses)
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def refusal(body: bytes) -> str:
    """Why a robot refused a message that it answered with status 200; empty where it did not."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(answer, dict):
        return ""
    for code, message in _CODES.items():
        value = answer.get(code)
        if isinstance(value, int) and value != 0:
            return f"{code} {value}: {str(answer.get(message, ''))[:200]}"
    return ""


@contextmanager
def heard() -> Iterator[dict[int, list[bytes]]]:
    """Collects the bodies of HTTP answers by the thread that asked: apprise does not show them."""
    import requests

    bodies: dict[int, list[bytes]] = {}
    original: Any = requests.Session.request

    def request(self: requests.Session, *args: Any, **kwargs: Any) -> requests.Response:
        response: requests.Response = original(self, *args, **kwargs)
        bodies.setdefault(threading.get_ident(), []).append(response.content[:4096])
        return response

    requests.Session.request = request  # type: ignore[method-assign]
    try:
        yield bodies
    finally:
        requests.Session.request = original  # type: ignore[method-assign]
