"""Runs side by side: which parameters differ, which metrics by how much, what else they were made from."""

from collections.abc import Iterable, Sequence
from typing import Any

from convoy.errors import ConfigError
from convoy.registry import lookup, runs

MAIN_METRICS = ("test_accuracy", "test_macro_f1", "test_log_loss")
_PROVENANCE = (
    "commit", "dirty", "data_digest", "dvc_lock", "environment_lock",
    "cpu", "cores", "gpus", "python", "torch",
)  # fmt: skip
_LIMIT = 1000
_LEAST_PREFIX = 3


def recent(client: Any, experiment: str | None, limit: int) -> list[Any]:
    """Runs of an experiment (None: of all), the newest first."""
    found = client.search_runs(
        _experiments(client, experiment), order_by=["attributes.start_time DESC"], max_results=limit
    )
    return list(found)


def find(client: Any, experiment: str | None, wanted: str) -> Any:
    """The run that an id, a training key, a beginning of one of these, a run's name or a model version names.

    Raises:
        ConfigError: none or several are called so.
    """
    if lookup.is_reference(wanted):
        return client.get_run(lookup.resolve(client, wanted).run_id)
    known = recent(client, experiment, _LIMIT)
    exact = [run for run in known if wanted in (run.info.run_id, _key(run), run.info.run_name)]
    found = exact or [
        run
        for run in known
        if len(wanted) >= _LEAST_PREFIX
        and (run.info.run_id.startswith(wanted) or _key(run).startswith(wanted))
    ]
    if not found:
        raise ConfigError(f"no run is called {wanted!r}", fix="`convoy runs` lists them by name and id")
    if len(found) > 1:
        names = ", ".join(f"{run.info.run_name} ({run.info.run_id[:8]})" for run in found[:5])
        raise ConfigError(f"{len(found)} runs are called {wanted!r}: {names}", fix="write more of the id")
    return found[0]


def compare(found: Sequence[Any]) -> dict[str, Any]:
    """{"runs", "params", "metrics", "provenance"}: a name and one value a run each.

    Parameters and provenance are those that differ. Metrics carry the values and, against the first run, the
    differences (None where one lacks it).
    """
    return {
        "runs": [
            {"name": run.info.run_name, "id": run.info.run_id, "status": run.info.status} for run in found
        ],
        "params": differing([run.data.params for run in found]),
        "metrics": {name: _metric(name, found) for name in _metric_names(found)},
        "provenance": differing(
            [{n: run.data.tags.get(f"convoy.{n}") for n in _PROVENANCE} for run in found]
        ),
    }


def differing(mappings: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Names, sorted, whose values are not the same in all mappings."""
    names = sorted(set().union(*mappings)) if mappings else []
    table = {name: [mapping.get(name) for mapping in mappings] for name in names}
    return {name: values for name, values in table.items() if len(set(values)) > 1}


def summary(run: Any) -> dict[str, Any]:
    """One run as a row: JSON-able."""
    return {
        "id": run.info.run_id,
        "name": run.info.run_name,
        "status": run.info.status,
        "started": run.info.start_time,
        "key": _key(run),
        "model": run.data.tags.get("convoy.model"),
        "params": dict(run.data.params),
        "metrics": {n: v for n, v in run.data.metrics.items() if not n.startswith("system/")},
    }


def _experiments(client: Any, name: str | None) -> list[str]:
    if name is None:
        return [e.experiment_id for e in client.search_experiments()]
    found = client.get_experiment_by_name(name)
    return [found.experiment_id] if found else []


def _metric(name: str, found: Iterable[Any]) -> dict[str, list[float | None]]:
    values = [run.data.metrics.get(name) for run in found]
    base = values[0]
    difference = [None if v is None or base is None else v - base for v in values]
    return {"values": values, "difference": difference}


def _metric_names(found: Iterable[Any]) -> list[str]:
    """Final figures, the test split's first; no curves, no ends of intervals."""
    names = {name for run in found for name in run.data.metrics}
    final = [
        n
        for n in names
        if n.startswith(("test_", "best_val_")) and not n.endswith(("_low", "_high", "_samples"))
    ]
    return sorted(final, key=lambda n: (n not in MAIN_METRICS, n.startswith("best_"), n))


def _key(run: Any) -> str:
    return str(run.data.tags.get(runs.KEY_TAG, ""))
