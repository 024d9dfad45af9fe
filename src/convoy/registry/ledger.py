"""The ledger: what happened to a model's aliases, by whom and why. Entries are only ever added.

It is kept with the registry, as tags of the registered model: `convoy.ledger.000001` … hold one JSON
object each, `convoy.ledger.applied` the number of the last one whose effects are complete, and that entry's
digest. An entry is written before its effects, so a killed process leaves a decision that the next one
carries out (`promotion.recover`).

Each entry holds the SHA-256 of the text of the one before it ("previous"), so none can be altered or taken
out unseen; the mark covers the last one. Entries of before the chain have no "previous" and come first.
All functions expect the caller to hold the registry's lock.
"""

import json
import re
import socket
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from convoy.errors import IntegrityError, ResourceError
from convoy.io import sha256_bytes
from convoy.registry.runs import user

Entry = dict[str, Any]

MAX = 5000  # characters of a tag's value

_PREFIX = "convoy.ledger."
_APPLIED = f"{_PREFIX}applied"
_MARK = re.compile(r"(\d+)(?: ([0-9a-f]{64}))?")


def read(client: Any, name: str) -> list[Entry]:
    """All entries of a registered model, oldest first.

    Raises:
        IntegrityError: an entry is no JSON object.
    """
    return [_parsed(name, number, text) for number, text in _texts(_tags(client, name)).items()]


def append(client: Any, name: str, fields: Mapping[str, Any]) -> Entry:
    """Add an entry with the next number, the time, the user and the digest of the entry before.

    Raises:
        ResourceError: another process wrote the same entry meanwhile (a store without locks).
    """
    texts = _texts(_tags(client, name))
    number = max(texts, default=0) + 1
    entry = {
        "n": number,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": f"{user()}@{socket.gethostname()}",
        "previous": _digest(texts[number - 1]) if texts else "",
        **fields,
    }
    text = _dump(entry)
    if len(text) > MAX:
        entry["why"] = str(entry["why"])[: max(0, len(str(entry["why"])) - (len(text) - MAX) - 1)] + "…"
        text = _dump(entry)
    client.set_registered_model_tag(name, _tag(number), text)
    if _tags(client, name).get(_tag(number)) != text:
        raise ResourceError(f"another process wrote to the ledger of {name}", fix="run the command again")
    return entry


def pending(client: Any, name: str) -> Entry | None:
    """The last entry if its effects were not completed.

    Raises:
        IntegrityError: the mark of the last completed entry, or the last entry, cannot be read.
    """
    tags = _tags(client, name)
    texts = _texts(tags)
    if not texts:
        return None
    match = _MARK.fullmatch(tags.get(_APPLIED, "0"))
    if match is None:
        raise _damaged(name, _APPLIED)
    last = max(texts)
    return _parsed(name, last, texts[last]) if int(match[1]) < last else None


def mark_applied(client: Any, name: str, entry: Entry) -> None:
    client.set_registered_model_tag(name, _APPLIED, f"{entry['n']} {_digest(_dump(entry))}")


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


def named(entries: Iterable[Entry]) -> set[str]:
    """Versions that a move of an alias names."""
    found: set[Any] = set()
    for entry in entries:
        found.update((entry.get("aliases") or {}).values())
        if entry.get("alias"):
            found |= {entry.get("from"), entry.get("to")}
    return {str(version) for version in found if version is not None}


def problems(client: Any, name: str) -> list[str]:
    """What contradicts itself in a model's ledger, in words; empty where all is as it was written.

    Found are entries that were altered, removed or added by hand, and aliases that are elsewhere than the
    last move put them.
    """
    model = client.get_registered_model(name)
    tags = dict(model.tags)
    texts = _texts(tags)
    found = [
        f"{tag}: this is no tag of the ledger"
        for tag in sorted(tags)
        if tag.startswith(_PREFIX) and tag != _APPLIED and _number(tag) is None
    ]
    entries: list[Entry] = []
    for number, text in texts.items():
        try:
            entries.append(_parsed(name, number, text))
        except IntegrityError as error:
            found.append(f"entry {number}: {error.what}")
    found += _chain(texts, {entry["n"]: entry for entry in entries})
    found += _mark(texts, tags.get(_APPLIED))
    return found or _moved_by_hand(entries, {a: str(v) for a, v in model.aliases.items()}, tags)


def _chain(texts: Mapping[int, str], entries: Mapping[Any, Entry]) -> list[str]:
    found: list[str] = []
    chained = False
    for position, number in enumerate(texts):
        if number != position + 1:
            return [*found, f"entry {position + 1} is missing"]
        previous = entries.get(number, {}).get("previous")
        before = _digest(texts[number - 1]) if number > 1 else ""
        if number in entries and previous is None and chained:
            found.append(f"entry {number} does not name the entry before it")
        elif previous is not None and previous != before:
            found.append(f"entry {number - 1} is not the one that entry {number} was added to")
        chained = chained or previous is not None
    return found


def _mark(texts: Mapping[int, str], mark: str | None) -> list[str]:
    """What the mark of the last completed entry contradicts; a decision may be pending after it."""
    if not texts:
        return [] if mark is None else [f"the mark names entry {mark.split()[0]}, and there is none"]
    match = _MARK.fullmatch(mark or "0")
    if match is None:
        return [f"the mark of the last completed entry is damaged: {mark!r}"]
    number, digest, last = int(match[1]), match[2], max(texts)
    if number not in (last, last - 1):
        return [f"the mark names entry {number}, the last one is {last}"]
    if number == 0:
        return []
    if digest is None:  # as written before the chain
        return [] if '"previous"' not in texts[number] else [f"the mark of entry {number} lacks its digest"]
    return [] if digest == _digest(texts[number]) else [f"entry {number} is not the one that was marked"]


def _moved_by_hand(entries: list[Entry], now: Mapping[str, str], tags: Mapping[str, str]) -> list[str]:
    match = _MARK.fullmatch(tags.get(_APPLIED, "0"))
    if not entries or match is None or int(match[1]) != entries[-1]["n"]:
        return []
    wanted: dict[str, Any] = {}
    for entry in entries:
        wanted.update(entry.get("aliases") or {})
    return [
        f"alias {alias} is {now.get(alias) or 'gone'}, the ledger's last move made it {version or 'gone'}"
        for alias, version in sorted(wanted.items())
        if now.get(alias) != version
    ]


def _texts(tags: Mapping[str, str]) -> dict[int, str]:
    """Number -> stored text, in order."""
    numbered = {n: tags[tag] for tag in tags if (n := _number(tag)) is not None}
    return dict(sorted(numbered.items()))


def _number(tag: str) -> int | None:
    digits = tag.removeprefix(_PREFIX)
    known = tag != digits and digits.isascii() and digits.isdigit() and tag == _tag(int(digits))
    return int(digits) if known else None


def _tag(number: int) -> str:
    return f"{_PREFIX}{number:06d}"


def _tags(client: Any, name: str) -> dict[str, str]:
    return dict(client.get_registered_model(name).tags)


def _parsed(name: str, number: int, text: str) -> Entry:
    try:
        entry = json.loads(text)
    except ValueError:
        raise _damaged(name, _tag(number)) from None
    if not isinstance(entry, dict) or entry.get("n") != number:
        raise _damaged(name, _tag(number))
    return entry


def _dump(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, allow_nan=False, sort_keys=True)


def _digest(text: str) -> str:
    return sha256_bytes(text.encode("utf-8"))


def _damaged(name: str, tag: str) -> IntegrityError:
    return IntegrityError(
        f"the ledger of {name} is damaged",
        where=f"tag {tag} of the registered model",
        fix="restore the registry's database from a backup; `convoy verify` lists what was altered",
    )
