"""Ledger and aliases on a registry in memory: entries are added, numbered, kept short, replayed."""

from types import SimpleNamespace
from typing import Any

import pytest

from convoy.registry import aliases, ledger


class Registry:
    """The part of MlflowClient that ledger and aliases use."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.aliases: dict[str, str] = {}
        self.moves = 0

    def get_registered_model(self, name: str) -> Any:
        return SimpleNamespace(tags=dict(self.tags), aliases=dict(self.aliases))

    def set_registered_model_tag(self, name: str, key: str, value: str) -> None:
        self.tags[key] = value

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        self.aliases[alias] = version
        self.moves += 1

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        del self.aliases[alias]
        self.moves += 1


def _entry(action: str, to: str) -> dict[str, Any]:
    return {"action": action, "alias": "champion", "to": to, "why": "", "version": to}


def test_entries_are_numbered_and_say_who_and_when() -> None:
    registry = Registry()
    ledger.append(registry, "m", _entry("gate", "1"))
    ledger.append(registry, "m", _entry("gate", "2"))
    entries = ledger.read(registry, "m")
    assert [entry["n"] for entry in entries] == [1, 2]
    assert "convoy.ledger.000002" in registry.tags
    assert all("@" in entry["who"] and entry["when"].endswith("+00:00") for entry in entries)


def test_other_tags_are_no_entries() -> None:
    registry = Registry()
    registry.tags = {"team": "vision", "convoy.ledger.applied": "1"}
    assert ledger.read(registry, "m") == []


def test_an_entry_is_pending_until_it_is_marked() -> None:
    registry = Registry()
    assert ledger.pending(registry, "m") is None
    entry = ledger.append(registry, "m", _entry("gate", "1"))
    assert ledger.pending(registry, "m") == entry
    ledger.mark_applied(registry, "m", entry)
    assert ledger.pending(registry, "m") is None


def test_a_long_reason_is_cut_to_fit_a_tag() -> None:
    registry = Registry()
    ledger.append(registry, "m", {**_entry("gate", "1"), "why": "very " * 5000})
    (text,) = registry.tags.values()
    assert len(text) <= 5000
    assert ledger.read(registry, "m")[0]["why"].endswith("…")


@pytest.mark.parametrize(
    ("story", "stack"),
    [
        ([("gate", "1"), ("gate", "2"), ("gate", "3")], ["1", "2", "3"]),
        ([("gate", "1"), ("gate", "2"), ("rollback", "1")], ["1"]),
        ([("gate", "1"), ("gate", "2"), ("gate", "3"), ("rollback", "2"), ("rollback", "1")], ["1"]),
        ([("gate", "1"), ("gate", "2"), ("rollback", "1"), ("promote", "3")], ["1", "3"]),
        ([("gate", "1"), ("gate", "1")], ["1"]),
    ],
)
def test_rollback_goes_back_one_step_at_a_time(story: list[tuple[str, str]], stack: list[str]) -> None:
    assert ledger.champions(_entry(action, to) for action, to in story) == stack


def test_challengers_and_refusals_are_no_champions() -> None:
    entries = [{"action": "gate", "alias": alias, "to": "1"} for alias in ("challenger", None)]
    assert ledger.champions(entries) == []


def test_promotion_makes_the_old_champion_previous_and_clears_the_challenger() -> None:
    wanted = aliases.after_promotion({"champion": "1", "challenger": "2"}, "2")
    assert wanted == {"champion": "2", "previous": "1", "challenger": None}


def test_moving_aliases_twice_changes_nothing() -> None:
    registry = Registry()
    registry.aliases = {"champion": "1", "challenger": "2", "mine": "1"}
    wanted = {"champion": "2", "previous": "1", "challenger": None}
    aliases.apply(registry, "m", wanted)
    assert registry.aliases == {"champion": "2", "previous": "1", "mine": "1"}
    moves = registry.moves
    aliases.apply(registry, "m", wanted)
    assert registry.moves == moves
