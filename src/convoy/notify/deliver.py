"""The process that sends messages, so that no sender can hang or harm the run.

    python -m convoy.notify.deliver     an Order as JSON on stdin; one Outcome as JSON a line on stdout

Addresses come through stdin alone: neither the list of processes nor a file shows them. What apprise says
is masked before it leaves this process, for apprise itself logs tokens that it finds invalid.
"""

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from convoy.notify import services


@dataclass(frozen=True)
class Order:
    """What is to be sent.

    Attributes:
        addresses: of apprise.
        block: name of a Prefect Secret block that holds more of them.
        kind: info, success, warning or failure; None: send nothing, say which services there are.
    """

    addresses: list[str]
    block: str | None = None
    title: str = ""
    body: str = ""
    kind: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one address; `number` counts from 1 in the order in which they are given."""

    number: int
    service: str
    ok: bool
    reason: str = ""


def deliver(order: Order, tell: Callable[[Outcome], None]) -> None:
    """Send to every address at once; `tell` hears of each as soon as it is known, from several threads."""
    addresses = list(order.addresses)
    if order.block:
        try:
            addresses += services.split(_block(order.block))
        except Exception as error:  # noqa: BLE001  # Prefect's and the network's, of any kind
            what = f"the Prefect block {order.block!r} cannot be read: {type(error).__name__}"
            tell(Outcome(0, "Prefect block", False, what))
    with services.heard() as answers:
        threads = [
            threading.Thread(target=lambda place: tell(_one(order, addresses, place, answers)), args=(place,))
            for place in range(len(addresses))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _one(order: Order, addresses: Sequence[str], place: int, answers: dict[int, list[bytes]]) -> Outcome:
    address, number = addresses[place], place + 1
    with _Said() as said:
        service = _service(address)
        if service is None:
            reason = services.masked(said.text() or "apprise knows no such address", addresses)
            return Outcome(number, services.kind(address), False, reason)
        name = str(service.service_name)
        if order.kind is None:
            return Outcome(number, name, True)
        try:
            sent = service.notify(order.body, order.title, notify_type=_importance(order.kind))
        except Exception as error:  # noqa: BLE001  # of a plugin, of any kind; its text may hold the address
            return Outcome(number, name, False, type(error).__name__)
    refused = " ".join(filter(None, map(services.refusal, answers.get(threading.get_ident(), []))))
    if sent and not refused:
        return Outcome(number, name, True)
    return Outcome(number, name, False, services.masked(refused or said.text() or "not sent", addresses))


def _service(address: str) -> Any:
    """An apprise service, or None; it keeps nothing on disk."""
    from apprise import Apprise, AppriseAsset, PersistentStoreMode

    asset = AppriseAsset(app_id="convoy", app_desc="convoy", storage_mode=PersistentStoreMode.MEMORY)
    return Apprise.instantiate(address, asset=asset, suppress_exceptions=True)


def _importance(kind: str) -> Any:
    from apprise import NotifyType

    return NotifyType(kind)


def _block(name: str) -> str:
    if not os.environ.get("PREFECT_API_URL"):
        raise LookupError
    from prefect.blocks.system import Secret

    return str(Secret.load(name).get())  # type: ignore[union-attr]  # awaitable inside of a loop only


class _Said(logging.Handler):
    """What apprise warns of, in the thread that asks."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._lines.append(record.getMessage())

    def text(self) -> str:
        return " ".join(" ".join(self._lines).split())[:300]

    def __enter__(self) -> Self:
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)


def main() -> None:
    logging.getLogger("apprise").propagate = False
    lock = threading.Lock()

    def tell(outcome: Outcome) -> None:
        with lock:
            sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
            sys.stdout.flush()

    deliver(Order(**json.load(sys.stdin)), tell)


if __name__ == "__main__":
    main()
