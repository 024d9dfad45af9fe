"""Bundles for those who predict: from a folder, or from the registry by name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convoy.cli import _server
from convoy.errors import ConfigError

if TYPE_CHECKING:
    from convoy.monitor.kept import Keeper
    from convoy.serving.predictor import Predictor
    from convoy.serving.source import Reference, Source


def source(model: str | None) -> "Source":
    """Where the bundle of a folder's path or a reference comes from; None means the project's champion.

    Raises:
        ConfigError: it names nothing, or nothing is named and it is not plain which model is meant.
        ResourceError: the registry cannot be reached.
    """
    if model is not None and Path(model).is_dir():
        return _Folder(Path(model))
    root, client = _server.reach()
    return _Registry(client, model or _default(root, client))


@contextmanager
def keeping() -> "Iterator[Keeper]":
    """Keeps what is predicted inside for `convoy monitor`; needs a project.

    Raises:
        ConfigError: this is none, or its parameters are wrong.
    """
    from convoy import environment
    from convoy.config.load import load
    from convoy.layout import PARAMS
    from convoy.monitor.kept import Keeper

    root = environment.project_root()
    keeper = Keeper(root, load(root / PARAMS).monitor.keep)
    try:
        yield keeper
    finally:
        keeper.close()


def quick(model: str | None) -> "tuple[Reference, Path] | None":
    """A verified bundle of a local registry without MLflow; None where only `source` can tell."""
    from convoy import environment
    from convoy.registry import shortcut
    from convoy.registry.client import tracking_uri
    from convoy.serving.source import Reference

    try:
        root = environment.project_root()
    except ConfigError:
        uri = os.environ.get("MLFLOW_TRACKING_URI")
    else:
        environment.apply(root)
        uri, model = tracking_uri(root), model or _own(root)
    found = shortcut.find(uri, model) if uri and model else None
    if found is None:
        return None
    return Reference(found.name, found.version, found.digest), found.folder


class _Folder:
    """A bundle that lies in a folder, for good."""

    moves = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def resolve(self) -> "Reference":
        from convoy.bundle import contents
        from convoy.serving.source import Reference

        return Reference(str(self._folder), "", contents.digest(self._folder))

    def fetch(self, _reference: "Reference", _scratch: Path) -> Path:
        from convoy.bundle import contents

        contents.check(self._folder)
        return self._folder

    def check(self, bundle: Path, predictor: "Predictor") -> None:
        check_golden(bundle, predictor)


class _Registry:
    """What a reference names in the registry; an alias may name another version at the next look."""

    def __init__(self, client: Any, reference: str) -> None:
        self._client = client
        self._reference = reference
        self.moves = "@" in reference

    def resolve(self) -> "Reference":
        from convoy.registry import client as connection
        from convoy.registry import lookup, versions
        from convoy.serving.source import Reference

        with connection.reached(self._client.tracking_uri):
            version = lookup.resolve(self._client, self._reference)
        return Reference(version.name, str(version.version), version.tags.get(versions.BUNDLE_TAG, ""))

    def fetch(self, reference: "Reference", scratch: Path) -> Path:
        from convoy.registry import client as connection
        from convoy.registry import lookup

        with connection.reached(self._client.tracking_uri):
            return lookup.fetch(self._client, f"{reference.name}/{reference.version}", scratch)

    def check(self, bundle: Path, predictor: "Predictor") -> None:
        check_golden(bundle, predictor)


def check_golden(bundle: Path, predictor: "Predictor") -> None:
    """Raises:
    IntegrityError: an answer is not what torch gave when the bundle was made.
    """
    from convoy.bundle import golden

    samples = golden.read(bundle)
    answers = predictor.rows([sample["content"] for sample in samples])
    golden.check(samples, [row for rows in answers for row in rows], predictor.output, "onnxruntime here")


def _own(root: Path) -> str:
    from convoy.config.load import load
    from convoy.layout import PARAMS

    return f"models:/{load(root / PARAMS).registration.model}@champion"


def _default(root: Path | None, client: Any) -> str:
    if root is not None:
        return _own(root)
    from convoy.registry import lookup

    names = lookup.model_names(client)
    if len(names) != 1:
        raise ConfigError(
            "it is not plain which model is meant",
            fix=f"name one: --model models:/NAME@champion; there are: {', '.join(names) or 'none'}",
        )
    return f"models:/{names[0]}@champion"
