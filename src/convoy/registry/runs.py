"""MLflow runs found by their training key and filled so that sending a thing twice changes nothing.

A run is identified by its tag `convoy.key`. Parameters that it has are never sent again (they cannot change
in MLflow), metrics are sent once for each (name, step).
"""

import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from convoy import provenance
from convoy.registry.client import artifact_root, database_file, lock, tracking_uri

KEY_TAG = "convoy.key"
PROCESS_TAG = "convoy.process"  # of the training, an `Owner`

# MLflow's limits on one batch and on one value; a metric batch also stays far below its 1 MB.
MAX_PARAMS, MAX_METRICS = 100, 1000
MAX_PARAM_VALUE, MAX_TAG_VALUE, MAX_DIGEST = 6000, 5000, 36
_IDS_A_QUERY = 100

Item = TypeVar("Item")


def experiment_id(client: Any, root: Path, name: str) -> str:
    """Find or create an experiment. With the project's SQLite its artifacts lie beside the database."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    database = database_file(tracking_uri(root))
    location = artifact_root(database) if database else None
    return str(client.create_experiment(name, artifact_location=location))


def find(client: Any, experiment: str, key: str) -> Any | None:
    """The run of a training key, or None. Runs that were deleted in the UI do not count."""
    runs = client.search_runs(
        [experiment], f"tags.`{KEY_TAG}` = '{key}'", order_by=["attributes.start_time ASC"], max_results=1
    )
    return runs[0] if runs else None


def is_active(client: Any, run_id: str | None) -> bool:
    """Whether a run is there and was not deleted in the UI: only then can anything be added to it."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(run_id) and client.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def was_deleted(client: Any, root: Path, experiment_name: str, key: str) -> bool:
    """Whether somebody deleted the run of a training key in the UI, and there is no other."""
    from mlflow.entities import ViewType

    found = client.search_runs(
        [experiment_id(client, root, experiment_name)],
        f"tags.`{KEY_TAG}` = '{key}'",
        run_view_type=ViewType.ALL,
    )
    return bool(found) and all(run.info.lifecycle_stage == "deleted" for run in found)


def existing(client: Any, run_ids: Iterable[str]) -> set[str]:
    """Which of these a store has, those that were deleted in the UI among them."""
    from mlflow.entities import ViewType

    wanted = sorted(each for each in run_ids if each)
    found: set[str] = set()
    experiments = (
        [e.experiment_id for e in client.search_experiments(view_type=ViewType.ALL)] if wanted else []
    )
    for some in batches(wanted, _IDS_A_QUERY):
        listed = ", ".join(f"'{each}'" for each in some)
        query = f"attributes.run_id IN ({listed})"
        page = client.search_runs(experiments, query, run_view_type=ViewType.ALL, max_results=len(some))
        found.update(run.info.run_id for run in page)
    return found


def find_or_create(
    client: Any,
    root: Path,
    experiment_name: str,
    start: Mapping[str, Any],
    *,
    origin: Mapping[str, str] | None = None,
    replayed: bool = False,
) -> str:
    """The id of the run of a journal's `start` event; it has all parameters, tags and data sets then.

    Args:
        origin: tags of where the training was made (default: here and now).
        replayed: the training is none of this moment, and no record of its origin was kept.
    """
    with lock(root, "mlflow"):
        experiment = experiment_id(client, root, experiment_name)
        run = find(client, experiment, start["key"])
        if run is None:
            run = client.create_run(
                experiment,
                start_time=milliseconds(start.get("t", time.time())),
                run_name=start.get("name") or start["key"][:12],
                tags=_cut(
                    {
                        KEY_TAG: start["key"],
                        **(origin if origin is not None else origin_tags(root)),
                        **start.get("tags", {}),
                        **({"convoy.replayed": "true"} if replayed else {}),
                    }
                ),
            )
    run_id = str(run.info.run_id)
    add_params(client, run, start.get("params", {}))
    add_datasets(client, run, start.get("datasets", []))
    return run_id


def add_params(client: Any, run: Any, params: Mapping[str, Any]) -> None:
    """Send the parameters that the run does not have, nested ones flattened with dots."""
    from mlflow.entities import Param

    new = [
        Param(name, text(value)[:MAX_PARAM_VALUE])
        for name, value in flatten(params)
        if name not in run.data.params
    ]
    for batch in batches(new, MAX_PARAMS):
        client.log_batch(run.info.run_id, params=batch)


def add_tags(client: Any, run_id: str, tags: Mapping[str, str]) -> None:
    from mlflow.entities import RunTag

    entities = [RunTag(name, str(value)[:MAX_TAG_VALUE]) for name, value in tags.items()]
    for batch in batches(entities, MAX_PARAMS):
        client.log_batch(run_id, tags=batch)


def add_datasets(client: Any, run: Any, datasets: Iterable[Mapping[str, Any]]) -> None:
    """Send data sets {"name", "digest", "source"?, "context"?} that the run does not have.

    MLflow takes digests of up to 36 characters: DVC's fit, a SHA-256 is cut.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    known = {(i.dataset.name, i.dataset.digest) for i in (run.inputs.dataset_inputs if run.inputs else [])}
    new = []
    for entry in datasets:
        name, digest = str(entry["name"]), str(entry["digest"])[:MAX_DIGEST]
        if (name, digest) in known:
            continue
        source = json.dumps({"uri": str(entry.get("source", name))})
        entity = Dataset(name=name, digest=digest, source_type="local", source=source)
        new.append(DatasetInput(entity, [InputTag("mlflow.data.context", entry.get("context", "training"))]))
    if new:
        client.log_inputs(run.info.run_id, datasets=new)


class MetricSender:
    """Sends each (metric, step) of a run once, also if another process sent a part of them before."""

    def __init__(self, client: Any, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        names = client.get_run(run_id).data.metrics
        self._sent = {
            (name, point.step)
            for name in names
            if not name.startswith("system/")
            for point in client.get_metric_history(run_id, name)
        }

    def send(self, events: Iterable[Mapping[str, Any]]) -> int:
        """Send the values of `metrics` events (step = epoch), in batches; how many were new."""
        from mlflow.entities import Metric

        new = [
            Metric(name, float(value), milliseconds(event["t"]), int(event["step"]))
            for event in events
            if event["event"] == "metrics"
            for name, value in event["values"].items()
            if (name, int(event["step"])) not in self._sent
        ]
        for batch in batches(new, MAX_METRICS):
            self._client.log_batch(self._run_id, metrics=batch)
            self._sent.update((metric.key, metric.step) for metric in batch)
        return len(new)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def text(value: Any) -> str:
    """A parameter's value as MLflow shows it."""
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    for first in range(0, len(items), size):
        yield list(items[first : first + size])


def milliseconds(seconds: float) -> int:
    return math.floor(seconds * 1000)


def origin_tags(root: Path) -> dict[str, str]:
    """Tags of where and by whom something is made: here and now."""
    made = provenance.collect(root)
    tags = {
        "mlflow.source.name": "convoy",
        "mlflow.source.type": "PROJECT",
        "mlflow.user": user(),
        **provenance.tags(made),
    }
    if made["git"]["commit"]:
        tags["mlflow.source.git.commit"] = made["git"]["commit"]
    return _cut(tags)


def _cut(tags: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value)[:MAX_TAG_VALUE] for name, value in tags.items()}


def user() -> str:
    """Who runs this, or "unknown" where the system does not say."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
