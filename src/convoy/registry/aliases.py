"""Aliases of a registered model: champion, challenger, previous."""

from collections.abc import Mapping
from typing import Any

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"

Aliases = dict[str, str]  # alias -> version


def current(client: Any, name: str) -> Aliases:
    """All aliases of a model, those set by hand too."""
    named = client.get_registered_model(name).aliases
    return {alias: str(version) for alias, version in named.items()}


def after_promotion(before: Mapping[str, str], version: str) -> dict[str, str | None]:
    """The old champion becomes `previous`; its challenger is none any more."""
    previous = before.get(CHAMPION) if before.get(CHAMPION) != version else before.get(PREVIOUS)
    return {CHAMPION: version, PREVIOUS: previous, CHALLENGER: None}


def apply(client: Any, name: str, wanted: Mapping[str, str | None]) -> None:
    """Move aliases; None removes one. Doing it twice changes nothing."""
    before = current(client, name)
    for alias, version in wanted.items():
        if before.get(alias) == version:
            continue
        if version is None:
            client.delete_registered_model_alias(name, alias)
        else:
            client.set_registered_model_alias(name, alias, version)
