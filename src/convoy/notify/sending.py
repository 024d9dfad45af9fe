"""The caller's side of a message: whether it is wanted, and a child process that may not take long."""

import json
import logging
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from convoy.layout import PARAMS, STATE
from convoy.notify import services
from convoy.notify.event import Event

if TYPE_CHECKING:
    from convoy.config.notify import NotifyConfig
    from convoy.notify.deliver import Outcome

ADDRESSES = "CONVOY_NOTIFY_URLS"
LOG = STATE / "logs" / "notify.log"
_KINDS = {
    "failed": "failure",
    "refused": "warning",
    "drifted": "warning",
    "recovered": "success",
    "promoted": "success",
}

_log = logging.getLogger("convoy.notify")


def send(root: Path, event: Event) -> None:
    """Tell those whom the project names, if it wants this kind of event told; never raises.

    Waits for the senders, at most `notify.timeout_seconds`. What fails is a line on stderr and in
    `.convoy/logs/notify.log`.
    """
    try:
        config = settings(root)
        if config is None or event.kind not in config.events:
            return
        if not os.environ.get(ADDRESSES) and config.block is None:
            _report(root, f"{event.kind}: nobody was told: {ADDRESSES} is not set, and no block is named")
            return
        for outcome in ask(config, event):
            if not outcome.ok:
                _report(root, f"{event.kind}: {outcome.service} ({outcome.number}): {outcome.reason}")
    except Exception as error:  # noqa: BLE001  # a message is never worth a run
        _report(root, f"{event.kind}: nobody was told: {type(error).__name__}")


def settings(root: Path) -> "NotifyConfig | None":
    """Section `notify` of the project; None where it has none, which costs no import.

    Raises:
        ConfigError: the parameters are wrong.
    """
    try:
        if b"notify" not in (root / PARAMS).read_bytes():
            return None
    except OSError:
        return None
    from convoy.config.load import load

    return load(root / PARAMS).notify


def ask(config: "NotifyConfig", event: Event | None) -> "list[Outcome]":
    """Send a message to every address, or, without an event, ask which services the addresses are of.

    Returns:
        One outcome an address, in order; those that did not answer in time are there with the reason.
    """
    from convoy.notify.deliver import Order, Outcome

    addresses = services.split(os.environ.get(ADDRESSES, ""))
    order = Order(addresses, config.block)
    if event is not None:
        order = Order(addresses, config.block, event.title, event.text(), _KINDS[event.kind])
    answered, ended = _child(json.dumps(asdict(order)), config.timeout_seconds)
    outcomes = {found.number: found for found in (Outcome(**json.loads(line)) for line in answered)}
    why = "the sender ended without a word" if ended else f"no answer within {config.timeout_seconds:g} s"
    for number, address in enumerate(addresses, 1):
        outcomes.setdefault(number, Outcome(number, services.kind(address), False, why))
    if not ended and config.block is not None:
        outcomes.setdefault(0, Outcome(0, "Prefect block", False, why))
    return [outcomes[number] for number in sorted(outcomes)]


def _child(order: str, seconds: float) -> tuple[list[str], bool]:
    """The whole lines that the sending process wrote, and whether it ended by itself.

    What it says on stderr is thrown away: a traceback may hold an address.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "convoy.notify.deliver"],
            input=order.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            start_new_session=True,  # Ctrl-C ends the run, and the message still says so
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return _lines(late.stdout or b""), False
    return _lines(done.stdout), True


def _lines(output: bytes) -> list[str]:
    return [line.decode("utf-8", "replace") for line in output.split(b"\n")[:-1]]


def _report(root: Path, problem: str) -> None:
    line = " ".join(problem.split())
    _log.warning("notification not sent: %s", line)
    try:
        path = root / LOG
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
    except OSError:
        return  # the disk may be what failed
