"""The ledger: what happened to a model's aliases, by whom and why. Entries are only ever added.

It is kept with the registry, as tags of the registered model: `convoy.ledger.000001` … hold one JSON
object each, `convoy.ledger.applied` the number of the last one whose effects are complete. An entry is
written before its effects, so a killed process leaves a decision that the next one carries out
(`promotion.recover`).
All functions expect the caller to hold the registry's lock.
"""

import json
import socket
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from convoy.registry.runs import user

Entry = dict[str, Any]

_PREFIX = "convoy.ledger."
_APPLIED = f"{_PREFIX}applied"
_MAX = 5000  # characters of a tag's value


def read(client: Any, name: str) -> list[Entry]:
    """All entries of a registered model, oldest first."""
    tags = client.get_registered_model(name).tags
    return [json.loads(tags[tag]) for tag in sorted(tags) if tag.removeprefix(_PREFIX).isdigit()]


def append(client: Any, name: str, fields: Mapping[str, Any]) -> Entry:
    """Add an entry with the next number, the time and the user."""
    number = max((entry["n"] for entry in read(client, name)), default=0) + 1
    entry = {
        "n": number,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": f"{user()}@{socket.gethostname()}",
        **fields,
    }
    text = json.dumps(entry, ensure_ascii=False, allow_nan=False, sort_keys=True)
    if len(text) > _MAX:
        entry["why"] = str(entry["why"])[: max(0, len(str(entry["why"])) - (len(text) - _MAX) - 1)] + "…"
        text = json.dumps(entry, ensure_ascii=False, allow_nan=False, sort_keys=True)
    client.set_registered_model_tag(name, f"{_PREFIX}{number:06d}", text)
    return entry


def pending(client: Any, name: str) -> Entry | None:
    """The last entry if its effects were not completed."""
    tags = client.get_registered_model(name).tags
    entries = read(client, name)
    return entries[-1] if entries and int(tags.get(_APPLIED, 0)) < entries[-1]["n"] else None


def mark_applied(client: Any, name: str, entry: Entry) -> None:
    client.set_registered_model_tag(name, _APPLIED, str(entry["n"]))


def champions(entries: Iterable[Entry]) -> list[str]:
    """The champions in the order in which they would be returned to; the last is the present one."""
    stack: list[str] = []
    for entry in entries:
        if entry["alias"] != "champion":
            continue
        if entry["action"] == "rollback":
            while stack and stack[-1] != entry["to"]:
                stack.pop()
        if not stack or stack[-1] != entry["to"]:
            stack.append(str(entry["to"]))
    return stack
