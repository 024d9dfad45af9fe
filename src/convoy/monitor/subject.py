"""The registered model that is watched, and what it was like when it was tested."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from convoy.bundle import contents, reference
from convoy.errors import DataError
from convoy.registry import lookup, versions
from convoy.registry.client import connect, reached, tracking_uri

if TYPE_CHECKING:
    from convoy.config.schema import Config


@dataclass(frozen=True)
class Subject:
    """A version of a model.

    Attributes:
        digest: of its bundle, by which kept predictions are known to be its own.
        reference: rows of `bundle.reference`.
        accuracy: on its test samples, of which there were `tests`.
        learned: ids of the samples that it was trained on.
        link: to its run in the MLflow UI; empty where no server is running.
    """

    name: str
    version: str
    digest: str
    classes: list[str]
    reference: pd.DataFrame
    accuracy: float
    tests: int
    learned: frozenset[str]
    link: str

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"


def find(root: Path, config: "Config", model: str | None = None) -> Subject:
    """The version that a reference names; None: the project's champion.

    Raises:
        ConfigError: there is no such version.
        DataError: it was registered before bundles held a reference.
        IntegrityError: its files are not those that were registered.
        ResourceError: the registry cannot be reached.
    """
    client = connect(root)
    with reached(tracking_uri(root)), tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        version = lookup.resolve(client, model or f"models:/{config.registration.model}@champion")
        bundle = versions.fetch(client, version, Path(scratch))
        return _read(bundle, version, _link(client, tracking_uri(root), version))


def _read(bundle: Path, version: Any, link: str) -> Subject:
    found = reference.read(bundle)
    if found is None:
        raise DataError(
            f"{version.name} version {version.version} carries nothing to compare with",
            where=str(bundle),
            fix="models of classes hold reference.parquet, unless they were made before it was introduced: "
            "`convoy run` makes one that does",
        )
    info = contents.info(bundle)
    samples = pd.read_parquet(bundle / "samples.parquet", columns=["id", "split"])
    tested = info["metrics"]["test"]
    return Subject(
        name=version.name,
        version=str(version.version),
        digest=version.tags[versions.BUNDLE_TAG],
        classes=list(info["classes"]),
        reference=found,
        accuracy=float(tested["accuracy"]),
        tests=int(tested["samples"]),
        learned=frozenset(samples.loc[samples["split"] == "train", "id"]),
        link=link,
    )


def _link(client: Any, uri: str, version: Any) -> str:
    if not uri.startswith("http") or not version.run_id:
        return ""
    experiment = client.get_run(version.run_id).info.experiment_id
    return f"{uri}/#/experiments/{experiment}/runs/{version.run_id}"
