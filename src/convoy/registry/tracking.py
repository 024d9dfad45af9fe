"""MLflow brought into agreement with the artifacts on disk, exactly once however often it is asked."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from convoy import provenance
from convoy.environment import state_dir
from convoy.errors import DataError
from convoy.io import read_json, sha256_tree, write_text
from convoy.layout import AUGMENT, EVALUATE, PARAMS, TRAIN
from convoy.registry import note, runs
from convoy.registry.client import connect, reached, tracking_uri
from convoy.training import journal

if TYPE_CHECKING:
    from convoy.config.schema import Config

EVALUATION_TAG = "convoy.evaluation"
_OTHER_WRITER_SECONDS = 60.0
_REPLAY_STEP_SECONDS = 0.001


def sync(root: Path, config: "Config") -> str:
    """Send whatever MLflow lacks of the trained and evaluated artifacts, and of journals that it never got.

    Args:
        root: of the project.
        config: names the experiment and the data.

    Returns:
        The id of the run that belongs to artifacts/train.

    Raises:
        DataError: nothing has been trained.
        ResourceError: the server cannot be reached; nothing is lost, call again.
    """
    record = root / TRAIN / "training.json"
    if not record.is_file():
        raise DataError(
            "nothing has been trained yet", where=str(record), fix="run `convoy run` or `dvc repro`"
        )
    training = read_json(record)
    client = connect(root)
    experiment = config.tracking.experiment
    with reached(tracking_uri(root)):
        _replay_others(client, root, experiment, training["key"])
        run_id = _sync_training(client, root, experiment, training)
        run = client.get_run(run_id)
        runs.add_datasets(client, run, _raw_data(root, config.data.path))
        if (root / EVALUATE / "metrics.json").is_file():
            _sync_evaluation(client, root, config, run, training)
    return run_id


def _sync_training(client: Any, root: Path, experiment: str, training: Mapping[str, Any]) -> str:
    """Replay the live journal, or the stage's own where DVC restored the stage from its cache."""
    live = state_dir(root) / "runs" / training["key"] / "journal.jsonl"
    live.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(live.with_suffix(".lock"))
    try:
        lock.acquire(timeout=_OTHER_WRITER_SECONDS)  # the mirror may still be sending
    except Timeout:
        lock = FileLock(live.with_suffix(".sync.lock"))
        lock.acquire()
    with lock:
        restored = not _finished(live)
        if restored:
            _restore(root / TRAIN / "journal.jsonl", live)
        return _replay(client, root, experiment, list(journal.read(live)), replayed=restored)


def _replay_others(client: Any, root: Path, experiment: str, current: str) -> None:
    """Send journals of earlier trainings that ended while the server was away."""
    known: set[str] | None = None
    for path in sorted((state_dir(root) / "runs").glob("*/journal.jsonl")):
        if path.parent.name == current:
            continue
        events = list(journal.read(path))
        if not events or events[0]["event"] != "start" or events[-1]["event"] != "end":
            continue
        if known is None:
            known = _known_keys(client, root, experiment)
        if events[0]["key"] not in known:
            _replay(client, root, experiment, events, replayed=True)


def _known_keys(client: Any, root: Path, experiment: str) -> set[str]:
    """Training keys that the experiment has; of deleted runs too, which must not come back."""
    from mlflow.entities import ViewType

    found: set[str] = set()
    token = None
    while True:
        page = client.search_runs(
            [runs.experiment_id(client, root, experiment)],
            run_view_type=ViewType.ALL,
            max_results=1000,
            page_token=token,
        )
        found.update(run.data.tags.get(runs.KEY_TAG, "") for run in page)
        token = page.token
        if not token:
            return found


def _replay(client: Any, root: Path, experiment: str, events: list[journal.Event], *, replayed: bool) -> str:
    run_id = runs.find_or_create(client, root, experiment, events[0], replayed=replayed)
    sent = runs.MetricSender(client, run_id).send(events)
    end = events[-1]
    run = client.get_run(run_id)
    if end["event"] == "end" and (sent or run.info.status != end["status"]):
        client.set_terminated(run_id, end["status"], end_time=runs.milliseconds(end["t"]))
    return run_id


def _finished(live: Path) -> bool:
    events = list(journal.read(live))
    return bool(events) and events[-1]["event"] == "end" and events[-1]["status"] == "FINISHED"


def _restore(stage_journal: Path, live: Path) -> None:
    """Write a live journal from the stage's output; its times are made here, once, so replays agree."""
    now = time.time()
    events: list[journal.Event] = [
        {"t": now + n * _REPLAY_STEP_SECONDS, **event} for n, event in enumerate(journal.read(stage_journal))
    ]
    if not events:
        raise DataError(
            "the training left no journal", where=str(stage_journal), fix="run the train stage again"
        )
    end = {"t": now + len(events) * _REPLAY_STEP_SECONDS, "event": "end", "status": "FINISHED", "reason": ""}
    write_text(live, journal.dump([*events, end]))


def _sync_evaluation(
    client: Any, root: Path, config: "Config", run: Any, training: Mapping[str, Any]
) -> None:
    """Send metrics, tables and pictures of the evaluation; a tag with their digest is set last."""
    run_id = run.info.run_id
    digest = sha256_tree(root / EVALUATE)
    if run.data.tags.get(EVALUATION_TAG) == digest:
        return
    metrics = read_json(root / EVALUATE / "metrics.json")
    _log_finals(client, run, final_metrics(metrics))
    client.log_artifacts(run_id, str(root / EVALUATE), "evaluation")
    for path, folder in (
        (root / AUGMENT / "preview.png", "augmentation"),
        (root / TRAIN / "history.csv", "training"),
    ):
        if path.is_file():
            client.log_artifact(run_id, str(path), folder)
    if _params_agree(config, training):
        client.log_artifact(run_id, str(root / PARAMS), "config")
    tags = {
        "mlflow.note.content": note.render(training, metrics, run.info.run_name),
        **{name: str(training[name]) for name in ("data_digest",) if name in training},
    }
    runs.add_tags(client, run_id, {**_prefixed(tags), EVALUATION_TAG: digest})


def _prefixed(tags: Mapping[str, str]) -> dict[str, str]:
    return {name if "." in name else f"convoy.{name}": value for name, value in tags.items()}


def _params_agree(config: "Config", training: Mapping[str, Any]) -> bool:
    """Whether params.yaml still is what the artifacts were trained with."""
    now = {"model": config.model.model_dump(), "objective": config.objective.model_dump()}
    now["train"] = config.train.model_dump()
    return all(training.get(name) == section for name, section in now.items())


def final_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """metrics.json flat: test_accuracy, test_accuracy_low, test_accuracy_high, best_val_accuracy …

    The validation figures are those of the kept weights, hence `best_`; `val_…` are the curves. Then
    test_robustness_noise …, test_tta_accuracy …, and of the baseline baseline_accuracy, baseline_difference,
    baseline_difference_low, baseline_difference_high …
    """
    flat = {f"test_{name}": value for name, value in metrics["test"].items()}
    flat |= {f"best_val_{name}": value for name, value in metrics.get("val", {}).items()}
    for part in ("robustness", "tta"):
        flat |= {f"test_{part}_{name}": value for name, value in metrics.get(part, {}).items()}
    for name, (low, high) in metrics.get("intervals", {}).items():
        flat |= {f"test_{name}_low": low, f"test_{name}_high": high}
    baseline = {name: value for name, value in metrics.get("baseline", {}).items() if name != "name"}
    if "interval" in baseline:
        baseline["difference_low"], baseline["difference_high"] = baseline.pop("interval")
    flat |= {f"baseline_{name}": value for name, value in baseline.items()}
    return {name: float(value) for name, value in flat.items() if math.isfinite(value)}


def _log_finals(client: Any, run: Any, values: Mapping[str, float]) -> None:
    from mlflow.entities import Metric

    now = runs.milliseconds(time.time())
    new = [Metric(n, v, now, 0) for n, v in values.items() if run.data.metrics.get(n) != v]
    for batch in runs.batches(new, runs.MAX_METRICS):
        client.log_batch(run.info.run_id, metrics=batch)


def _raw_data(root: Path, path: str) -> list[dict[str, str]]:
    """The raw data as a data set with DVC's digest; none where DVC does not know it."""
    digest = provenance.dvc_digest(root, path)
    if digest is None:
        return []
    return [{"name": Path(path).name, "digest": digest, "source": path, "context": "raw"}]
