"""Decisions about a registered model's aliases: the gate, promotion and rollback by hand.

A decision is first written to the ledger, then carried out (aliases, the verdict on the version and in its
run), then marked as carried out. Callers hold the registry's lock and call `recover` first, so a decision
that a killed process left half done is completed before anything else happens.
"""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convoy.errors import ConfigError, GateRefused, ResourceError
from convoy.gate import evidence
from convoy.gate import verdict as gate
from convoy.gate.rules import Doubt
from convoy.registry import aliases, common_lock, ledger, lookup, runs, versions
from convoy.registry.aliases import CHALLENGER, CHAMPION, PREVIOUS
from convoy.registry.client import lock

if TYPE_CHECKING:
    from convoy.config.schema import Config

STATUS_TAG = versions.STATUS_TAG
_TRIES = 3


class Overtaken(Exception):  # an event, which `settle` answers by judging again
    """Another process moved the champion while a version was judged: only where a store has no locks."""


def judge(
    client: Any,
    root: Path,
    config: "Config",
    version: Any,
    bundle: Path,
    tree: Doubt,
    data: Doubt,
    *,
    by_hand: bool = False,
) -> gate.Verdict:
    """Let the gate judge a version; nothing is changed.

    Args:
        bundle: the version's files.
        by_hand: a person asks for the promotion.

    Raises:
        DataError: the test data are missing.
        IntegrityError: the champion's files or a test picture are not what they were.
    """
    champion = aliases.current(client, version.name).get(CHAMPION)
    with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        rival = None
        if champion not in (None, str(version.version)):
            found = client.get_model_version(version.name, champion)
            rival = (champion, versions.fetch(client, found, Path(scratch)))
        seen = evidence.gather(root, config, bundle, rival, tree, data)
    return gate.judge(config.registration.gate, seen, by_hand=by_hand)


def settle(
    client: Any, root: Path, config: "Config", version: Any, bundle: Path, tree: Doubt, data: Doubt
) -> gate.Verdict:
    """Judge a version and make the verdict true, again if the champion moved in between.

    Raises:
        as `judge`, and ResourceError: the champion kept moving.
    """
    for _ in range(_TRIES):
        verdict = judge(client, root, config, version, bundle, tree, data)
        try:
            carry_out(client, version, verdict)
        except Overtaken:
            continue
        return verdict
    raise _restless(version.name)


def carry_out(client: Any, version: Any, verdict: gate.Verdict, action: str = "gate") -> None:
    """Write a verdict with every number to the run, shortened to the ledger, and make it true.

    Raises:
        Overtaken: the champion is not the one that was judged against.
    """
    number = str(version.version)
    before = aliases.current(client, version.name)
    if before.get(CHAMPION) not in (verdict.champion, number):
        raise Overtaken
    if runs.is_active(client, version.run_id):
        text = json.dumps(verdict.as_dict(), ensure_ascii=False, sort_keys=True, indent=2)
        client.log_text(version.run_id, text, f"gate/{version.name}-{number}.json")
    alias = verdict.status if verdict.status in (CHAMPION, CHALLENGER) else None
    _commit(
        client,
        version.name,
        {
            "action": action,
            "version": number,
            "alias": alias,
            "from": before.get(alias) if alias else None,
            "to": number if alias else None,
            "why": verdict.short()["reason"],
            "aliases": _aliases_after(before, number, verdict.status),
            "numbers": verdict.short(),
        },
    )


def promote(
    root: Path, client: Any, config: "Config", name: str, version: str, override: str = ""
) -> tuple[str, gate.Verdict]:
    """Make a version champion if the gate lets it, or, with a reason, although it does not.

    Args:
        version: number, or `@alias`.

    Returns:
        The version's number, and the verdict.

    Raises:
        ConfigError: there is no such version, or it is the champion.
        GateRefused: the gate said no and there is no reason to override it.
    """
    with lock(root, "registry"):
        recover(client, name)
        found = lookup.resolve(client, lookup.reference(name, version))
        for _ in range(_TRIES):
            try:
                return str(found.version), _promote(client, root, config, found, override)
            except Overtaken:
                continue
    raise _restless(name)


def _promote(client: Any, root: Path, config: "Config", version: Any, override: str) -> gate.Verdict:
    number = str(version.version)
    if aliases.current(client, version.name).get(CHAMPION) == number:
        raise ConfigError(f"{version.name} version {number} is the champion already")
    with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        bundle = versions.fetch(client, version, Path(scratch))
        verdict = judge(client, root, config, version, bundle, *_doubts(version), by_hand=True)
    if verdict.status == CHAMPION:
        carry_out(client, version, verdict, "promote")
        return verdict
    if not override:
        raise GateRefused(
            f"{version.name} version {number} was not promoted: {verdict.reason}",
            fix=verdict.fix
            or "train a better one; --override REASON promotes it all the same and is recorded",
        )
    forced = gate.override(verdict, override)
    carry_out(client, version, forced, "override")
    return forced


def rollback(root: Path | None, client: Any, name: str, why: str = "") -> dict[str, Any]:
    """Make the champion before the present one, by the ledger, champion again; returns the ledger's entry.

    Raises:
        ConfigError: there was none.
    """
    with lock(root, "registry"):
        recover(client, name)
        return _rollback(client, name, why)


def _rollback(client: Any, name: str, why: str) -> dict[str, Any]:
    before = aliases.current(client, name)
    present = before.get(CHAMPION)
    known = {str(v.version) for v in client.search_model_versions(f"name = '{name}'")}
    stack = [v for v in ledger.champions(ledger.read(client, name)) if v in known]
    while stack and stack[-1] == present:
        stack.pop()
    if present is None or not stack:
        raise ConfigError(
            f"{name} has no champion to go back to",
            fix=f"`convoy registry history {name}` shows what there was; `promote` names a version",
        )
    earlier = [v for v in stack[:-1] if v != stack[-1]]
    return _commit(
        client,
        name,
        {
            "action": "rollback",
            "version": stack[-1],
            "alias": CHAMPION,
            "from": present,
            "to": stack[-1],
            "why": why or "rollback",
            "aliases": {CHAMPION: stack[-1], PREVIOUS: earlier[-1] if earlier else None},
            "numbers": None,
        },
    )


def note(client: Any, name: str, version: str, action: str, why: str) -> dict[str, Any]:
    """Write to the ledger what was done to a version and moved no alias."""
    fields = {"action": action, "version": version, "alias": None, "from": None, "to": None}
    return _commit(client, name, {**fields, "why": why, "aliases": {}, "numbers": None})


def recover(client: Any, name: str) -> None:
    """Complete the decision that a killed process left in the ledger.

    Raises:
        ConfigError: there is no such model.
    """
    lookup.registered_model(client, name)
    entry = ledger.pending(client, name)
    if entry is not None:
        _effect(client, name, entry)


def stored_verdict(version: Any) -> gate.Verdict | None:
    """The verdict that a version carries."""
    text = version.tags.get(versions.VERDICT_TAG)
    return gate.Verdict(**json.loads(text)) if text else None


def _doubts(version: Any) -> tuple[Doubt, Doubt]:
    """What registration doubted about a version: its tree and its data."""
    stored = stored_verdict(version)
    fix = "`convoy register` looks again at the artifacts that lie here"
    if stored is None:
        known = version.tags.get("convoy.dirty") == "false"
        return Doubt() if known else Doubt("it is not known to come from a committed tree", fix), Doubt()
    failed = {row["rule"]: row["said"] for row in stored.rules if row["outcome"] == "failed"}
    if stored.rule in ("unproven", "tree", "data"):  # `unproven`: verdicts of before the list of rules
        failed["tree" if stored.rule == "unproven" else stored.rule] = stored.reason
    tree, data = (
        Doubt(failed[rule] or rule, fix) if rule in failed else Doubt() for rule in ("tree", "data")
    )
    return tree, data


def _restless(name: str) -> ResourceError:
    return ResourceError(f"other processes keep moving the aliases of {name}", fix="run the command again")


def _aliases_after(before: aliases.Aliases, version: str, status: str) -> dict[str, str | None]:
    if status == CHAMPION:
        return aliases.after_promotion(before, version)
    return {CHALLENGER: version} if status == CHALLENGER else {}


def _commit(client: Any, name: str, fields: dict[str, Any]) -> dict[str, Any]:
    common_lock.confirm()
    entry = ledger.append(client, name, fields)
    _effect(client, name, entry)
    return entry


def _effect(client: Any, name: str, entry: dict[str, Any]) -> None:
    """Everything that follows from an entry; safe to repeat."""
    aliases.apply(client, name, entry["aliases"])
    if entry["numbers"] is not None:
        text = json.dumps(entry["numbers"], ensure_ascii=False, sort_keys=True)
        run_id = client.get_model_version(name, entry["version"]).run_id
        client.set_model_version_tag(name, entry["version"], STATUS_TAG, entry["numbers"]["status"])
        client.set_model_version_tag(name, entry["version"], versions.VERDICT_TAG, text)
        if runs.is_active(client, run_id):
            client.set_tag(run_id, "convoy.model", f"{name}/{entry['version']}")
            client.set_tag(run_id, STATUS_TAG, entry["numbers"]["status"])
    ledger.mark_applied(client, name, entry)
