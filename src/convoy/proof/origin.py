"""Where a registered version came from, as far as the registry knows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convoy import provenance
from convoy.bundle import contents
from convoy.errors import IntegrityError
from convoy.io import read_json, sha256_bytes
from convoy.registry import lookup, versions


@dataclass(frozen=True)
class Origin:
    """What a rebuild starts from and is compared with.

    Attributes:
        commit: of the project, full.
        patch: the uncommitted changes that were logged, as `git apply` reads them.
        untracked: files that git did not know: their content is not recorded.
        lock: dvc.lock of the run, parsed; None where the registry does not hold it.
        tags: `convoy.…` of the version.
        bundle: the registered files.
        digest: of the bundle.
    """

    name: str
    version: str
    commit: str
    bundle: Path
    digest: str
    tags: Mapping[str, str]
    patch: str = ""
    untracked: tuple[str, ...] = ()
    lock: Mapping[str, Any] | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


def of(client: Any, reference: str, scratch: Path) -> Origin:
    """Look a version up and fetch its bundle.

    Args:
        reference: models:/NAME@ALIAS, models:/NAME/VERSION or the same without `models:/`.
        scratch: a folder for what has to be downloaded.

    Raises:
        ConfigError: there is no such version.
        IntegrityError: its files were altered, or it was not made from a commit.
    """
    version = lookup.resolve(client, reference)
    bundle = versions.fetch(client, version, scratch)
    contents.check(bundle)
    tags = dict(version.tags)
    commit = tags.get("convoy.commit", "unknown")
    if len(commit) not in (40, 64) or set(commit) - set("0123456789abcdef"):
        raise IntegrityError(
            f"{version.name} version {version.version} was not made from a commit ({commit}): "
            "nothing says which code it came from",
            where=reference,
            fix="commit the project, then `convoy run`",
        )
    made = _provenance(client, version, scratch)
    patch, untracked = _changes(made.get("git", {}).get("diff", ""))
    return Origin(
        name=version.name,
        version=str(version.version),
        commit=commit,
        bundle=bundle,
        digest=tags[versions.BUNDLE_TAG],
        tags=tags,
        patch=patch,
        untracked=untracked,
        lock=_lock(made.get("dvc_lock_text"), tags.get("convoy.dvc_lock")),
        info=contents.info(bundle),
    )


def with_lock_of(origin: Origin, text: str) -> Mapping[str, Any] | None:
    """The recorded dvc.lock, or that of the commit where it is the same one."""
    return origin.lock or _lock(text, origin.tags.get("convoy.dvc_lock"))


def _lock(text: str | None, digest: str | None) -> Mapping[str, Any] | None:
    if not text or sha256_bytes(text.encode("utf-8")) != digest:
        return None
    return provenance.parse_yaml(text)


def _provenance(client: Any, version: Any, scratch: Path) -> dict[str, Any]:
    """The file that registration logged; empty where the run or its files are gone."""
    from mlflow.exceptions import MlflowException

    name = f"gate/{version.name}-{version.version}-provenance.json"
    folder = scratch / "provenance"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        found = read_json(Path(client.download_artifacts(version.run_id, name, str(folder))))
    except (OSError, MlflowException, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _changes(diff: str) -> tuple[str, tuple[str, ...]]:
    lines = diff.splitlines(keepends=True)
    untracked = [line for line in lines if line.startswith(provenance.UNTRACKED)]
    patch = "".join(line for line in lines if not line.startswith(provenance.UNTRACKED))
    return patch, tuple(line.removeprefix(provenance.UNTRACKED).strip() for line in untracked)
