"""Reading the registry: models, versions, history, and names like `models:/digits@champion`."""

import json
import re
from pathlib import Path
from typing import Any

from convoy.errors import ConfigError
from convoy.registry import aliases, common_lock, ledger, versions
from convoy.registry.versions import STATUS_TAG

_NAME = r"[^@/:\\\s\x00-\x1f]+(?: [^@/:\\\s\x00-\x1f]+)*"
_REFERENCE = re.compile(
    rf"(?:models:/)?(?P<name>{_NAME})(?:@(?P<alias>[\w-]{{1,255}})|/(?P<version>[0-9]{{1,9}}))"
)
_RESERVED = re.compile(r"latest|v[0-9]+", re.IGNORECASE)  # MLflow takes them for versions


def model_names(client: Any) -> list[str]:
    names: list[str] = []
    token = None
    while True:
        page = client.search_registered_models(page_token=token)
        names += [model.name for model in page if not model.name.startswith(common_lock.PREFIX)]
        token = page.token
        if not token:
            return names


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
    hidden = (versions.VERDICT_TAG, STATUS_TAG)
    lineage = {
        tag.removeprefix("convoy."): value
        for tag, value in sorted(found.tags.items())
        if tag.startswith("convoy.") and tag not in hidden
    }
    return {
        **row,
        "params": _params(client, found.run_id),
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
    ConfigError: there is no such model, the message lists those there are; or it is no name at all.
    """
    from mlflow.exceptions import MlflowException

    if not re.fullmatch(_NAME, name) or set(name) == {"."}:
        raise ConfigError(
            f"{name!r} is no name of a model",
            fix="a name holds no /, \\, : or @, and is no path",
        )
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
    if alias and _RESERVED.fullmatch(alias):
        raise ConfigError(
            f"{alias!r} can be no alias: MLflow reserves it",
            fix=f"name a version, as {name}/3, or an alias that `convoy registry list {name}` shows",
        )
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


def reference(name: str, version: str) -> str:
    """NAME@ALIAS for a version that begins with @, else NAME/VERSION."""
    return f"{name}{version}" if version.startswith("@") else f"{name}/{version}"


def fetch(client: Any, reference: str, scratch: Path) -> Path:
    """The verified bundle that a reference names; see `versions.fetch`."""
    return versions.fetch(client, resolve(client, reference), scratch)


def is_reference(text: str) -> bool:
    return _REFERENCE.fullmatch(text) is not None


def _params(client: Any, run_id: str | None) -> dict[str, str]:
    """What the run was told; empty where somebody deleted it."""
    from mlflow.exceptions import MlflowException

    try:
        return dict(sorted(client.get_run(run_id).data.params.items())) if run_id else {}
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}


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
