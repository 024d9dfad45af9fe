"""MLflow brought into agreement with the artifacts on disk, exactly once however often it is asked."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from convoy import provenance
from convoy.environment import state_dir
from convoy.errors import DataError
from convoy.io import read_json, sha256_tree, write_text
from convoy.layout import AUGMENT, EVALUATE, PARAMS, TRAIN
from convoy.locking import only_one
from convoy.registry import note, outbox, runs
from convoy.registry.client import connect, reached, tracking_uri
from convoy.training import journal

if TYPE_CHECKING:
    from convoy.config.schema import Config

EVALUATION_TAG = "convoy.evaluation"
_OTHER_WRITER_SECONDS = 60.0
_REPLAY_STEP_SECONDS = 0.001


def sync(root: Path, config: "Config") -> str:
    """Send whatever MLflow lacks of the trained and evaluated artifacts, and of earlier trainings.

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
        _send_waiting(client, root, experiment, but=training["key"])
        run_id = _sync_training(client, root, experiment, training)
        run = client.get_run(run_id)
        runs.add_datasets(client, run, _raw_data(root, config.data.path))
        if (root / EVALUATE / "metrics.json").is_file():
            _sync_evaluation(client, root, config, run, training)
            outbox.drop_evaluation(_live(root, training["key"]))
    return run_id


def send_waiting(root: Path, config: "Config", *, everything: bool = False) -> list[str]:
    """Send trainings that ended, or were killed, while the server was away; the ids of their runs.

    Nothing is asked of the server where nothing waits.

    Args:
        everything: look at those, too, that were sent: the server may have lost them.

    Raises:
        ResourceError: the server cannot be reached; nothing is lost, call again.
    """
    uri = tracking_uri(root)
    if not any(outbox.waiting(root, uri, everything=everything)):
        return []
    client = connect(root)
    with reached(uri):
        return _send_waiting(client, root, config.tracking.experiment, everything=everything)


def _send_waiting(
    client: Any, root: Path, experiment: str, *, but: str = "", everything: bool = False
) -> list[str]:
    """Args:
    but: the key of a training that is left out.
    """
    uri = tracking_uri(root)
    found = [p for p in outbox.waiting(root, uri, everything=everything) if p.parent.name != but]
    if not everything:
        _recognise(client, uri, found)
        found = [p for p in found if not outbox.is_sent(p, uri) or outbox.kept_evaluation(p)]
    sent = []
    for path in found:
        with only_one(path.with_suffix(".lock")) as mine:  # else a mirror is at it
            closed = mine and journal.Journal(path).close_abandoned()
            run_id = _send(client, root, experiment, path) if closed else ""
        if run_id:
            sent.append(run_id)
    return sent


def _recognise(client: Any, uri: str, paths: Sequence[Path]) -> None:
    """Mark what the same store got under another address: a server in front of it, another port."""
    elsewhere = {path: set(outbox.runs_that_have(path).values()) for path in paths}
    there = runs.existing(client, set().union(*elsewhere.values()))
    for path, ids in elsewhere.items():
        for run_id in sorted(ids & there)[:1]:
            outbox.mark_sent(path, uri, run_id)


def _send(client: Any, root: Path, experiment: str, path: Path) -> str:
    """Send one training that has ended, with the evaluation that was put aside; the id of its run.

    What somebody deleted does not come back: empty then.
    """
    uri = tracking_uri(root)
    events = list(journal.read(path))
    origin = outbox.origin(path)
    experiment = origin.experiment if origin else experiment
    if runs.was_deleted(client, root, experiment, events[0]["key"]):
        outbox.drop_evaluation(path)
        outbox.mark_sent(path, uri, "")
        return ""
    run_id = _replay(client, root, experiment, events, origin, replayed=origin is None)
    kept = outbox.kept_evaluation(path)
    if kept is not None:
        from convoy.config.load import load

        training = read_json(kept / TRAIN / "training.json")
        _sync_evaluation(client, kept, load(kept / PARAMS), client.get_run(run_id), training)
        outbox.drop_evaluation(path)
    outbox.mark_sent(path, uri, run_id)
    return run_id


def _live(root: Path, key: str) -> Path:
    return state_dir(root) / "runs" / key / journal.NAME


def _sync_training(client: Any, root: Path, experiment: str, training: Mapping[str, Any]) -> str:
    """Replay the live journal, or the stage's own where DVC restored the stage from its cache."""
    live = _live(root, training["key"])
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
            _restore(root / TRAIN / journal.NAME, live)
        run_id = _replay(
            client, root, experiment, list(journal.read(live)), outbox.origin(live), replayed=restored
        )
        outbox.mark_sent(live, tracking_uri(root), run_id)
    return run_id


def _replay(
    client: Any,
    root: Path,
    experiment: str,
    events: list[journal.Event],
    origin: outbox.Origin | None,
    *,
    replayed: bool,
) -> str:
    tags = origin.tags if origin else None
    run_id = runs.find_or_create(client, root, experiment, events[0], origin=tags, replayed=replayed)
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
