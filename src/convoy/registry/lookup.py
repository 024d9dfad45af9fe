"""Reading the registry: models, versions, history, and names like `models:/digits@champion`."""

import json
import re
from pathlib import Path
from typing import Any

from convoy.errors import ConfigError
from convoy.registry import aliases, ledger, versions
from convoy.registry.promotion import STATUS_TAG

_REFERENCE = re.compile(r"(?:models:/)?(?P<name>[^@/:]+)(?:@(?P<alias>[^@/]+)|/(?P<version>\d+))")


def model_names(client: Any) -> list[str]:
    return [model.name for model in client.search_registered_models()]


def model_versions(client: Any, name: str) -> list[dict[str, Any]]:
    """One row a version, the newest first.

    Raises:
        ConfigError: there is no such model.
    """
    registered_model(client, name)
    named = aliases.current(client, name)
    found = sorted(client.search_model_versions(f"name = '{name}'"), key=lambda v: -int(v.version))
    return [_row(version, named) for version in found]


def show(client: Any, found: Any) -> dict[str, Any]:
    """Everything that the registry knows about one version."""
    row = _row(found, aliases.current(client, found.name))
    verdict = found.tags.get(versions.VERDICT_TAG)
    lineage = {
        tag.removeprefix("convoy."): value
        for tag, value in sorted(found.tags.items())
        if tag.startswith("convoy.") and tag not in (versions.VERDICT_TAG, STATUS_TAG)
    }
    return {
        **row,
        "description": found.description,
        "lineage": lineage,
        "verdict": json.loads(verdict or "null"),
    }


def history(client: Any, name: str) -> list[ledger.Entry]:
    """The ledger of a model, oldest first.

    Raises:
        ConfigError: there is no such model.
    """
    registered_model(client, name)
    return ledger.read(client, name)


def registered_model(client: Any, name: str) -> Any:
    """Raises:
    ConfigError: there is no such model; the message lists those there are.
    """
    from mlflow.exceptions import MlflowException

    try:
        return client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        known = ", ".join(model_names(client)) or "none yet"
        raise ConfigError(f"no model is called {name!r} in the registry", fix=f"there are: {known}") from None


def resolve(client: Any, reference: str) -> Any:
    """The version that `models:/NAME@ALIAS`, `NAME@ALIAS`, `models:/NAME/VERSION` or `NAME/VERSION` names.

    Raises:
        ConfigError: it names none.
    """
    from mlflow.exceptions import MlflowException

    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise ConfigError(
            f"{reference!r} names no model version", fix="write models:/NAME@ALIAS or models:/NAME/VERSION"
        )
    name, alias, number = match["name"], match["alias"], match["version"]
    registered_model(client, name)
    try:
        return (
            client.get_model_version_by_alias(name, alias)
            if alias
            else client.get_model_version(name, number)
        )
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        what = f"alias {alias!r}" if alias else f"version {number}"
        there = ", ".join(f"{a} → {v}" for a, v in sorted(aliases.current(client, name).items())) or "none"
        raise ConfigError(
            f"{name} has no {what}", fix=f"`convoy registry list {name}` lists the versions; aliases: {there}"
        ) from None


def fetch(client: Any, reference: str, scratch: Path) -> Path:
    """The verified bundle that a reference names; see `versions.fetch`."""
    return versions.fetch(client, resolve(client, reference), scratch)


def is_reference(text: str) -> bool:
    return _REFERENCE.fullmatch(text) is not None


def _row(version: Any, named: dict[str, str]) -> dict[str, Any]:
    number = str(version.version)
    verdict = json.loads(version.tags.get(versions.VERDICT_TAG) or "{}")
    return {
        "name": version.name,
        "version": number,
        "aliases": sorted(alias for alias, v in named.items() if v == number),
        "status": version.tags.get(STATUS_TAG, "unjudged"),
        "metric": verdict.get("metric"),
        "value": verdict.get("value"),
        "reason": verdict.get("reason", ""),
        "created": version.creation_timestamp,
        "run_id": version.run_id,
        "commit": version.tags.get("convoy.commit", "unknown"),
        "dirty": version.tags.get("convoy.dirty") != "false",
    }
