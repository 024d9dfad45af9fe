"""The folds in MLflow: a parent run with the table, a child run for each fold with its curves.

MLflow may be away: the folds do not notice, and the same command, called again, sends what is missing.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convoy.folds.plan import DONE, Fold, Plan
from convoy.folds.results import PREDICTIONS, RESULT, TABLE, Result
from convoy.io import read_json
from convoy.layout import STATE
from convoy.registry import runs, tracking
from convoy.registry.client import connect
from convoy.training import journal

_PARENT = "mlflow.parentRunId"
_TAG = "convoy.folds"  # of the parent and its children: the key of the command


class Mirror:
    """Sends; what goes wrong is said once, and no more is tried.

    Args:
        say: is told of a server that does not answer.
    """

    def __init__(self, made: Plan, say: Callable[[str], None]) -> None:
        self._made, self._say = made, say
        self._client: Any = None
        self._parent = ""
        self._away = False
        self._sure(self._begin)

    def fold(self, fold: Fold) -> None:
        """The child run of a finished fold."""
        self._sure(lambda: self._child(fold))

    def end(self, found: Result) -> None:
        self._sure(lambda: self._finish(found))

    def failed(self, status: str) -> None:
        self._sure(lambda: self._client.set_terminated(self._parent, status))

    def _sure(self, send: Callable[[], None]) -> None:
        if self._away:
            return
        try:
            send()
        except Exception as error:  # noqa: BLE001  # whatever MLflow makes of a server in trouble
            self._away = True
            self._say(f"{error}\n  the folds go on; the same command sends them to MLflow later")

    def _begin(self) -> None:
        made = self._made
        self._client = connect(made.root)
        start = {
            "key": f"folds-{made.key}",
            "name": f"{made.config.model.name}-{made.count}-folds-{made.key[:4]}",
            "params": {
                "folds": made.count,
                "seeds": ", ".join("params.yaml" if seed is None else str(seed) for seed in made.seeds),
                "model": made.config.model.model_dump(),
            },
            "tags": {_TAG: made.key},
        }
        self._parent = runs.find_or_create(self._client, made.root, made.config.tracking.experiment, start)
        if self._client.get_run(self._parent).info.status in ("KILLED", "FAILED"):
            self._client.update_run(self._parent, status="RUNNING")

    def _child(self, fold: Fold) -> None:
        made = self._made
        record = read_json(fold.folder / DONE)
        events = list(journal.read(_journal(fold.folder, record["key"])))
        seed = "" if fold.seed is None else f"-seed-{fold.seed}"
        start = {
            **events[0],
            "key": f"folds-{made.key}{seed}-{fold.number}",
            "name": f"fold-{fold.number + 1}{seed}",
            "tags": {_PARENT: self._parent, _TAG: made.key},
        }
        run_id = runs.find_or_create(self._client, made.root, made.config.tracking.experiment, start)
        runs.MetricSender(self._client, run_id).send(events)
        run = self._client.get_run(run_id)
        if run.info.status != "FINISHED":
            self._log(run, tracking.final_metrics(record["metrics"]))
            self._client.set_terminated(run_id, "FINISHED", end_time=runs.milliseconds(events[-1]["t"]))

    def _finish(self, found: Result) -> None:
        run = self._client.get_run(self._parent)
        if run.info.status == "FINISHED":
            return
        values = {f"mean_{name}": value for name, value in found.mean.items()}
        values |= {f"sd_{name}": value for name, value in found.sd.items()}
        values |= {f"pooled_{name}": float(value) for name, value in found.pooled.items()}
        for name, (low, high) in found.interval.items():
            values |= {f"pooled_{name}_low": low, f"pooled_{name}_high": high}
        self._log(run, values)
        for name in (TABLE, PREDICTIONS, RESULT):
            self._client.log_artifact(self._parent, str(found.folder / name), "folds")
        self._client.set_terminated(self._parent, "FINISHED")

    def _log(self, run: Any, values: dict[str, float]) -> None:
        from mlflow.entities import Metric

        now = runs.milliseconds(time.time())
        new = [Metric(name, value, now, 0) for name, value in values.items()]
        for batch in runs.batches(new, runs.MAX_METRICS):
            self._client.log_batch(run.info.run_id, metrics=batch)


def _journal(folder: Path, key: str) -> Path:
    return folder / STATE / "runs" / key / journal.NAME
