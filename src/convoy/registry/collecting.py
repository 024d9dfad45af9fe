"""What there is to know about a run or a version: parameters, figures, origin, samples, predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from convoy.bundle import contents
from convoy.errors import ConfigError
from convoy.registry import lookup, tracking, versions
from convoy.registry.listing import MODEL_TAG, find
from convoy.registry.stored import Stored

PREDICTIONS = "evaluation/predictions.parquet"


@dataclass(frozen=True)
class Side:
    """One of those that are compared.

    Attributes:
        name: of the run, or NAME/VERSION.
        run: of MLflow.
        params: as the run has them.
        metrics: final figures, `test_accuracy` …
        origin: commit, digests, machine, without their prefix "convoy.".
        samples: id, split, target of every sample, of the bundle; without one, of validation and test alone;
            None where neither is to be had.
        complete: `samples` hold the training samples too.
        predictions: the predictions table (docs of `evaluation.predictions`); None where the run has none.
    """

    name: str
    run: Any
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    origin: Mapping[str, str]
    samples: pd.DataFrame | None
    complete: bool
    predictions: pd.DataFrame | None


def collect(client: Any, experiment: str | None, wanted: str, scratch: Path) -> Side:
    """Everything about the run or the version (NAME/VERSION, NAME@ALIAS) that `wanted` names.

    Raises:
        ConfigError: nothing is called so.
        IntegrityError: a version's files are not those that were registered.
    """
    if lookup.is_reference(wanted):
        version = lookup.resolve(client, wanted)
        return _of_version(client, version, client.get_run(version.run_id), scratch)
    run = find(client, experiment, wanted)
    predictions = _predictions(client, run, scratch)
    bundle = _registered(client, run, scratch)
    samples, complete = _known_samples(predictions), False
    if bundle is not None:
        samples, complete = _samples(bundle), True
    return Side(
        run.info.run_name, run, run.data.params, run.data.metrics, _origin(run.data.tags), samples, complete,
        predictions,
    )  # fmt: skip


def _of_version(client: Any, version: Any, run: Any, scratch: Path) -> Side:
    bundle = versions.fetch(client, version, scratch)
    figures = tracking.final_metrics(contents.info(bundle)["metrics"])
    return Side(
        f"{version.name}/{version.version}",
        run,
        run.data.params,
        {**run.data.metrics, **figures},
        {**_origin(run.data.tags), **_origin(version.tags)},
        _samples(bundle),
        True,
        _predictions(client, run, scratch),
    )


def _registered(client: Any, run: Any, scratch: Path) -> Path | None:
    """The bundle of the version that a run became, if it is still there."""
    reference = run.data.tags.get(MODEL_TAG, "")
    if not lookup.is_reference(reference):
        return None
    near = client.bundle(reference) if isinstance(client, Stored) else None
    if near is not None:
        return near
    try:
        return versions.fetch(client, lookup.resolve(client, reference), scratch)
    except ConfigError:
        return None


def _samples(bundle: Path) -> pd.DataFrame:
    return pd.read_parquet(bundle / "samples.parquet", columns=["id", "split", "target"])


def _known_samples(predictions: pd.DataFrame | None) -> pd.DataFrame | None:
    return None if predictions is None else predictions[["id", "split", "target"]]


def _predictions(client: Any, run: Any, scratch: Path) -> pd.DataFrame | None:
    folder = PREDICTIONS.rpartition("/")[0]
    if PREDICTIONS not in {entry.path for entry in client.list_artifacts(run.info.run_id, folder)}:
        return None
    target = scratch / run.info.run_id
    target.mkdir(parents=True, exist_ok=True)
    return pd.read_parquet(client.download_artifacts(run.info.run_id, PREDICTIONS, str(target)))


def _origin(tags: Mapping[str, str]) -> dict[str, str]:
    prefix = "convoy."
    return {name.removeprefix(prefix): value for name, value in tags.items() if name.startswith(prefix)}
