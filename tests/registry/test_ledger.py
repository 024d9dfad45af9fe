"""Ledger and aliases on a registry in memory: entries are added, numbered, kept short, replayed."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from convoy import io
from convoy.errors import IntegrityError, ResourceError
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


def _chained(count: int) -> Registry:
    """A registry with that many completed entries; version n is champion after entry n."""
    registry = Registry()
    for number in range(1, count + 1):
        fields = {**_entry("gate", str(number)), "aliases": {"champion": str(number)}}
        entry = ledger.append(registry, "m", fields)
        aliases.apply(registry, "m", entry["aliases"])
        ledger.mark_applied(registry, "m", entry)
    return registry


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


def test_every_entry_names_the_one_before_it() -> None:
    registry = _chained(3)
    assert ledger.problems(registry, "m") == []
    first, second, third = ledger.read(registry, "m")
    assert first["previous"] == ""
    assert second["previous"] == io.sha256_bytes(registry.tags["convoy.ledger.000001"].encode())
    assert third["previous"] == io.sha256_bytes(registry.tags["convoy.ledger.000002"].encode())


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_altered_entry_is_found_the_last_one_too(number: int) -> None:
    registry = _chained(3)
    tag = f"convoy.ledger.{number:06d}"
    registry.tags[tag] = registry.tags[tag].replace('"why": "', '"why": "no ')
    (problem,) = ledger.problems(registry, "m")
    assert f"entry {number}" in problem


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda tags: tags.pop("convoy.ledger.000002"), "entry 2 is missing"),
        (lambda tags: tags.pop("convoy.ledger.000003"), "the mark names entry 3, the last one is 2"),
        (lambda tags: tags.update({"convoy.ledger.000003": "{"}), "entry 3: the ledger of m is damaged"),
        (lambda tags: tags.update({"convoy.ledger.applied": "x"}), "the mark of the last completed entry"),
        (lambda tags: tags.update({"convoy.ledger.applied": "3"}), "entry 3 lacks its digest"),
        (lambda tags: tags.update({"convoy.ledger.00x004": "{}"}), "convoy.ledger.00x004: this is no tag"),
        (lambda tags: tags.update({"convoy.ledger.000009": '{"n": 9}'}), "entry 4 is missing"),
    ],
)
def test_whatever_is_taken_out_or_put_in_is_named(tamper: Any, said: str) -> None:
    registry = _chained(3)
    tamper(registry.tags)
    assert any(said in problem for problem in ledger.problems(registry, "m"))


def test_every_single_byte_of_the_ledger_counts() -> None:
    registry = _chained(2)
    whole = dict(registry.tags)
    for tag, text in whole.items():
        for place in range(0, len(text), 7):
            other = "0" if text[place] != "0" else "1"
            registry.tags = {**whole, tag: text[:place] + other + text[place + 1 :]}
            assert ledger.problems(registry, "m"), (tag, place)


def test_entries_of_before_the_chain_come_first_and_nowhere_else() -> None:
    registry = Registry()
    old = {"n": 1, "action": "gate", "alias": "champion", "to": "1", "why": ""}
    registry.tags = {"convoy.ledger.000001": json.dumps(old), "convoy.ledger.applied": "1"}
    assert ledger.problems(registry, "m") == []
    ledger.mark_applied(registry, "m", ledger.append(registry, "m", _entry("gate", "2")))
    assert ledger.problems(registry, "m") == []
    late = {**old, "n": 3}
    registry.tags["convoy.ledger.000003"] = json.dumps(late)
    assert "entry 3 does not name the entry before it" in ledger.problems(registry, "m")


def test_an_alias_that_was_moved_past_the_ledger_is_named() -> None:
    registry = _chained(2)
    registry.aliases = {"champion": "1", "challenger": "2", "mine": "1"}
    (problem,) = ledger.problems(registry, "m")
    assert problem == "alias champion is 1, the ledger's last move made it 2"
    registry.aliases = {}
    (problem,) = ledger.problems(registry, "m")
    assert "alias champion is gone" in problem


def test_a_decision_that_is_not_carried_out_yet_is_no_problem() -> None:
    registry = _chained(1)
    ledger.append(registry, "m", {**_entry("gate", "2"), "aliases": {"champion": "2"}})
    assert ledger.problems(registry, "m") == []


def test_a_mark_that_cannot_be_read_stops_whoever_relies_on_it() -> None:
    registry = _chained(1)
    registry.tags["convoy.ledger.applied"] = "one"
    with pytest.raises(IntegrityError, match="is damaged"):
        ledger.pending(registry, "m")


def test_an_entry_that_another_process_replaced_at_once_is_noticed() -> None:
    class Careless(Registry):
        def set_registered_model_tag(self, name: str, key: str, value: str) -> None:
            self.tags[key] = "somebody else's"

    with pytest.raises(ResourceError, match="another process"):
        ledger.append(Careless(), "m", _entry("gate", "1"))


def test_the_versions_that_moves_name_are_known() -> None:
    entries = [
        {"alias": "champion", "from": None, "to": "1", "aliases": {"champion": "1", "previous": None}},
        {"alias": None, "version": "2", "to": None, "aliases": {}},
        {"alias": "champion", "from": "1", "to": "4", "aliases": {"champion": "4", "previous": "3"}},
    ]
    assert ledger.named(entries) == {"1", "3", "4"}


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
