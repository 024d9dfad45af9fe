"""Decisions about a registered model's aliases: the gate, promotion and rollback by hand.

A decision is first written to the ledger, then carried out (aliases, the verdict on the version and in its
run), then marked as carried out. Callers hold the registry's lock and call `recover` first, so a decision
that a killed process left half done is completed before anything else happens.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convoy.errors import ConfigError, GateRefused
from convoy.layout import SPLIT
from convoy.registry import aliases, contents, gate, ledger, runs, scoring, versions
from convoy.registry.aliases import CHALLENGER, CHAMPION, PREVIOUS

if TYPE_CHECKING:
    from convoy.config.schema import Config

STATUS_TAG = "convoy.status"


def judge(
    client: Any, root: Path, config: "Config", version: Any, bundle: Path, unproven: str, fix: str
) -> gate.Verdict:
    """Let the gate judge a version; nothing is changed.

    Args:
        bundle: the version's files.
        unproven: why it cannot be rebuilt; empty where it can.
        fix: what to do about that.

    Raises:
        DataError: the test data are missing.
        IntegrityError: the champion's files or a test picture are not what they were.
    """
    section = config.registration.gate
    rules = gate.Rules(section.metric, section.minimum, section.margin)
    value = contents.info(bundle)["metrics"]["test"].get(rules.metric)
    refused = gate.judge_alone(rules, value, unproven, fix)
    if refused is not None:
        return refused
    champion = aliases.current(client, version.name).get(CHAMPION)
    if champion is None or champion == str(version.version):
        return gate.first(rules, value)
    with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        other = versions.fetch(client, client.get_model_version(version.name, champion), Path(scratch))
        tests = scoring.current_tests(root / SPLIT, config.data.source, root / config.data.path)
        answers, left_out = scoring.score(tests, bundle, other)
    return gate.against(rules, value, champion, answers, left_out)


def carry_out(client: Any, version: Any, verdict: gate.Verdict, action: str = "gate") -> None:
    """Write a verdict to the ledger and make it true."""
    before = aliases.current(client, version.name)
    wanted = _aliases_after(before, str(version.version), verdict.status)
    alias = verdict.status if verdict.status in (CHAMPION, CHALLENGER) else None
    _commit(
        client,
        version.name,
        {
            "action": action,
            "version": str(version.version),
            "alias": alias,
            "from": before.get(alias) if alias else None,
            "to": str(version.version) if alias else None,
            "why": verdict.reason,
            "aliases": wanted,
            "numbers": verdict.as_dict(),
        },
    )


def promote(client: Any, root: Path, config: "Config", version: Any, override: str = "") -> gate.Verdict:
    """Make a version champion if the gate lets it, or, with a reason, although it does not.

    Raises:
        GateRefused: the gate said no and there is no reason to override it.
    """
    number = str(version.version)
    if aliases.current(client, version.name).get(CHAMPION) == number:
        raise ConfigError(f"{version.name} version {number} is the champion already")
    with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        bundle = versions.fetch(client, version, Path(scratch))
        verdict = judge(client, root, config, version, bundle, *_unproven(version))
    if verdict.status == CHAMPION:
        carry_out(client, version, verdict, "promote")
        return verdict
    if not override:
        raise GateRefused(
            f"{version.name} version {number} was not promoted: {verdict.reason}",
            fix=verdict.fix
            or "train a better one; --override REASON promotes it all the same and is recorded",
        )
    said = f"override: {override} (the gate said: {verdict.reason})"
    forced = replace(verdict, status="champion", rule="override", reason=said, fix="", final=True)
    carry_out(client, version, forced, "override")
    return forced


def rollback(client: Any, name: str, why: str = "") -> dict[str, Any]:
    """Make the champion before the present one, by the ledger, champion again; returns the ledger's entry.

    Raises:
        ConfigError: there was none.
    """
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


def recover(client: Any, name: str) -> None:
    """Complete the decision that a killed process left in the ledger."""
    entry = ledger.pending(client, name)
    if entry is not None:
        _effect(client, name, entry)


def stored_verdict(version: Any) -> gate.Verdict | None:
    """The verdict that a version carries."""
    text = version.tags.get(versions.VERDICT_TAG)
    return gate.Verdict(**json.loads(text)) if text else None


def _unproven(version: Any) -> tuple[str, str]:
    """Why a registered version could not be rebuilt, as registration found it, and what to do."""
    stored = stored_verdict(version)
    fix = "`convoy register` looks again at the artifacts that lie here"
    if stored is not None and stored.rule == "unproven":
        return stored.reason, stored.fix or fix
    if stored is None and version.tags.get("convoy.dirty") != "false":
        return "it is not known to come from a committed tree", fix
    return "", ""


def _aliases_after(before: aliases.Aliases, version: str, status: str) -> dict[str, str | None]:
    if status == CHAMPION:
        return aliases.after_promotion(before, version)
    return {CHALLENGER: version} if status == CHALLENGER else {}


def _commit(client: Any, name: str, fields: dict[str, Any]) -> dict[str, Any]:
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
            client.log_text(run_id, text, f"gate/{name}-{entry['version']}.json")
            client.set_tag(run_id, "convoy.model", f"{name}/{entry['version']}")
            client.set_tag(run_id, STATUS_TAG, entry["numbers"]["status"])
    ledger.mark_applied(client, name, entry)
