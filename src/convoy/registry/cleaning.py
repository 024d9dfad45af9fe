"""Versions that nobody can miss, and how they are removed: `convoy registry gc`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convoy.registry import aliases, ledger, lookup, promotion, versions
from convoy.registry.client import lock


@dataclass(frozen=True)
class Leftover:
    """A version that no alias and no move of an alias names.

    Attributes:
        bytes: of its model's files; None where they cannot be counted.
        shared: another version is made of the same files, which therefore stay.
    """

    name: str
    version: str
    status: str
    reason: str
    bytes: int | None
    shared: bool


def leftovers(client: Any, name: str) -> list[Leftover]:
    """The versions of a model that may go, oldest first.

    Raises:
        ConfigError: there is no such model.
        IntegrityError: the ledger cannot be read; nothing is known to be free then.
    """
    lookup.registered_model(client, name)
    kept = set(aliases.current(client, name).values()) | ledger.named(ledger.read(client, name))
    found = sorted(client.search_model_versions(f"name = '{name}'"), key=lambda v: int(v.version))
    everywhere = [version.source for version in client.search_model_versions()]
    rows = []
    for version in found:
        if str(version.version) in kept:
            continue
        verdict = promotion.stored_verdict(version)
        rows.append(
            Leftover(
                name,
                str(version.version),
                version.tags.get(versions.STATUS_TAG, "unjudged"),
                verdict.reason if verdict else "",
                _size(client, version),
                everywhere.count(version.source) > 1,
            )
        )
    return rows


def remove(root: Path | None, client: Any, name: str, chosen: Sequence[str]) -> list[Leftover]:
    """Remove those of the chosen versions that still may go, with their files; returns what was removed.

    The version goes first, then its MLflow model, the files last: a process that is killed in between leaves
    files that nothing names, never a version without files.
    """
    removed = []
    with lock(root, "registry"):
        promotion.recover(client, name)
        for row in leftovers(client, name):
            if row.version not in chosen:
                continue
            version = client.get_model_version(name, row.version)
            model_id = _model_id(version)
            shared = sum(v.source == version.source for v in client.search_model_versions()) > 1
            client.delete_model_version(name, row.version)
            if model_id and not shared:
                _delete_files(client, model_id)
            promotion.note(client, name, row.version, "gc", f"removed: {row.status}, named by no alias")
            removed.append(row)
    return removed


def _delete_files(client: Any, model_id: str) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        location = client.get_logged_model(model_id).artifact_location
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return
    client.delete_logged_model(model_id)
    repository: Any = get_artifact_repository(location)  # MLflow is half typed
    repository.delete_artifacts()


def _size(client: Any, version: Any) -> int | None:
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        repository = get_artifact_repository(
            client.get_model_version_download_uri(version.name, version.version)
        )
        return _below(repository, None)
    except (MlflowException, OSError):
        return None


def _below(repository: Any, folder: str | None) -> int:
    """Bytes of all files below a folder of an artifact store."""
    entries = repository.list_artifacts(folder) or []
    return sum(_below(repository, e.path) if e.is_dir else int(e.file_size or 0) for e in entries)


def _model_id(version: Any) -> str | None:
    source = str(version.source or "")
    return source.removeprefix("models:/") if source.startswith("models:/m-") else None
