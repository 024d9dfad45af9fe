"""Runs in a list: the newest, the one that a name means, a row each. Nothing here takes long to import."""

from collections.abc import Sequence
from typing import Any

from convoy.errors import ConfigError
from convoy.registry.runs import KEY_TAG

MODEL_TAG = "convoy.model"
MAIN_METRICS = (
    "test_accuracy", "test_macro_f1", "test_log_loss", "test_mean_ap", "test_nme", "test_mae", "test_r2",
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
    """The run that an id, a training key, a beginning of one of these or a run's name names.

    Raises:
        ConfigError: none or several are called so.
    """
    known = recent(client, experiment, _LIMIT)
    exact = [run for run in known if wanted in (run.info.run_id, key(run), run.info.run_name)]
    found = exact or [
        run
        for run in known
        if len(wanted) >= _LEAST_PREFIX
        and (run.info.run_id.startswith(wanted) or key(run).startswith(wanted))
    ]
    if not found:
        raise ConfigError(
            f"no run is called {wanted!r}", fix="`convoy runs` lists them by name and id; a version is NAME/3"
        )
    if len(found) > 1:
        names = ", ".join(f"{run.info.run_name} ({run.info.run_id[:8]})" for run in found[:5])
        raise ConfigError(f"{len(found)} runs are called {wanted!r}: {names}", fix="write more of the id")
    return found[0]


def key(run: Any) -> str:
    """Of the training."""
    return str(run.data.tags.get(KEY_TAG, ""))


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
        "key": key(run),
        "model": run.data.tags.get(MODEL_TAG),
        "params": dict(run.data.params),
        "metrics": {n: v for n, v in run.data.metrics.items() if not n.startswith("system/")},
    }


def _experiments(client: Any, name: str | None) -> list[str]:
    if name is None:
        return [e.experiment_id for e in client.search_experiments()]
    found = client.get_experiment_by_name(name)
    return [found.experiment_id] if found else []
