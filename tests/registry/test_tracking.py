"""MLflow agrees with the artifacts after `sync`, exactly once however often it is called."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from convoy import layout
from convoy.errors import DataError, ResourceError
from convoy.registry import outbox, runs, tracking
from convoy.training.journal import Journal, read
from tests.registry.fixtures import Project, journal_events


def _sync(project: Project) -> Any:
    return project.client.get_run(tracking.sync(project.root, project.config))


def _history(project: Project, run: Any, name: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in project.client.get_metric_history(run.info.run_id, name)]


def _state(project: Project, run: Any) -> dict[str, Any]:
    """Everything of a run that a second sync must not change."""
    client = project.client
    return {
        "metrics": {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics},
        "params": run.data.params,
        "tags": run.data.tags,
        "inputs": len(run.inputs.dataset_inputs),
        "end": run.info.end_time,
        "artifacts": sorted(a.path for a in client.list_artifacts(run.info.run_id, "evaluation")),
    }


def test_a_stage_that_dvc_restored_is_replayed_from_its_own_journal(project: Project) -> None:
    run = _sync(project)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "lenet5-good"
    assert run.data.tags["convoy.replayed"] == "true"
    assert _history(project, run, "val_loss") == [(0, 1.1), (1, 0.55)]
    live = project.root / ".convoy" / "runs" / "key-of-good" / "journal.jsonl"
    assert [event["event"] for event in read(live)] == ["start", "metrics", "metrics", "end"]


def test_a_second_sync_changes_nothing(project: Project) -> None:
    first = _sync(project)
    before = _state(project, first)
    second = _sync(project)
    assert second.info.run_id == first.info.run_id
    assert repr(_state(project, second)) == repr(before)


def test_the_preview_is_there_whatever_kind_of_file_the_modality_wrote(project: Project) -> None:
    folder = project.root / layout.AUGMENT
    folder.mkdir(exist_ok=True)
    (folder / "preview.txt").write_text("a text and its variants")
    outbox.keep_evaluation(project.root)
    kept = outbox.kept_evaluation(project.root / ".convoy" / "runs" / "key-of-good" / "journal.jsonl")
    assert kept is not None
    assert (kept / layout.AUGMENT / "preview.txt").is_file()
    run = _sync(project)
    found = {a.path for a in project.client.list_artifacts(run.info.run_id, "augmentation")}
    assert "augmentation/preview.txt" in found


def test_the_live_journal_goes_before_the_stages_own(project: Project) -> None:
    journal = Journal(project.root / ".convoy" / "runs" / "key-of-good" / "journal.jsonl")
    for event in journal_events("good"):
        journal.append(**event)
    journal.append("end", status="FINISHED", reason="")
    run = _sync(project)
    assert "convoy.replayed" not in run.data.tags
    assert run.info.start_time == runs.milliseconds(journal.events()[0]["t"])


def test_what_the_mirror_has_sent_already_is_not_sent_again(project: Project) -> None:
    client = project.client
    start, first, *_ = ({"t": 5.0, **event} for event in journal_events("good"))
    run_id = runs.find_or_create(client, project.root, "toy", start)
    runs.MetricSender(client, run_id).send([first])
    run = _sync(project)
    assert run.info.run_id == run_id
    assert _history(project, run, "val_loss") == [(0, 1.1), (1, 0.55)]


def test_the_evaluation_is_there_with_intervals_tables_and_parameters(
    project: Project, tmp_path: Path
) -> None:
    run = _sync(project)
    metrics = run.data.metrics
    assert metrics["test_accuracy"] == 1.0
    assert metrics["test_accuracy_low"] == 0.9
    assert metrics["best_val_accuracy"] == 1.0
    names = {a.path for a in project.client.list_artifacts(run.info.run_id, "evaluation")}
    assert {"evaluation/metrics.json", "evaluation/per_class.csv"} <= names
    params = project.client.download_artifacts(run.info.run_id, "config/params.yaml", str(tmp_path))
    assert Path(params).read_bytes() == (project.root / "params.yaml").read_bytes()
    note = run.data.tags["mlflow.note.content"]
    assert "| accuracy | **1.0000** | 0.9000 – 1.0000 | 1.0000 |" in note
    assert "d" * 64 in note
    assert run.data.tags["convoy.data_digest"] == "d" * 64


def test_a_params_file_that_moved_on_is_not_attached(project: Project) -> None:
    project.change("lr: 0.01", "lr: 0.5")
    run = _sync(project)
    assert not project.client.list_artifacts(run.info.run_id, "config")


def test_a_new_evaluation_of_the_same_training_updates_its_run(project: Project) -> None:
    first = _sync(project)
    path = project.root / layout.EVALUATE / "metrics.json"
    path.write_text(path.read_text().replace("0.25", "0.125"))
    second = _sync(project)
    assert second.info.run_id == first.info.run_id
    assert second.data.metrics["test_log_loss"] == 0.125
    assert second.data.tags[tracking.EVALUATION_TAG] != first.data.tags[tracking.EVALUATION_TAG]
    assert len(project.client.get_metric_history(first.info.run_id, "test_accuracy")) == 1


def test_dvcs_digest_of_the_raw_data_is_a_data_set_of_the_run(project: Project) -> None:
    dvc = "outs:\n- md5: d41d8cd98f00b204e9800998ecf8427e.dir\n  path: toy\n"
    (project.root / "data" / "raw" / "toy.dvc").write_text(dvc)
    inputs = _sync(project).inputs.dataset_inputs
    assert ("toy", "d41d8cd98f00b204e9800998ecf8427e.dir") in {
        (i.dataset.name, i.dataset.digest) for i in inputs
    }


def _journal(project: Project, key: str, *, ended: str | None = "FAILED") -> Journal:
    """Of another training than the one whose artifacts are here."""
    journal = Journal(project.root / ".convoy" / "runs" / key / "journal.jsonl")
    journal.append("start", key=key, name=f"run {key}", params={}, datasets=[])
    journal.append("metrics", step=0, values={"val_loss": 2.0})
    if ended:
        journal.append("end", status=ended, reason="")
    return journal


def _find(project: Project, key: str) -> Any:
    return runs.find(project.client, runs.experiment_id(project.client, project.root, "toy"), key)


def test_trainings_that_ended_while_the_server_was_away_are_sent_too(project: Project) -> None:
    _journal(project, "k9")
    with _journal(project, "k8", ended=None).writing():  # that training goes on
        _sync(project)
        assert _find(project, "k8") is None
    lost = _find(project, "k9")
    assert lost.info.status == "FAILED"
    assert _history(project, lost, "val_loss") == [(0, 2.0)]
    project.client.delete_run(lost.info.run_id)
    for path in outbox.journals(project.root):
        path.with_name("sent.json").unlink(missing_ok=True)
    _sync(project)
    assert _find(project, "k9") is None  # what somebody deleted does not come back


def test_a_training_that_was_killed_without_a_word_is_sent_as_killed(project: Project) -> None:
    journal = _journal(project, "k9", ended=None)
    with journal.path.open("a") as handle:
        handle.write('{"event": "metr')  # where the kill found it
    _sync(project)
    run = _find(project, "k9")
    assert run.info.status == "KILLED"
    assert run.info.end_time == runs.milliseconds(journal.events()[1]["t"])
    assert _history(project, run, "val_loss") == [(0, 2.0)]
    assert [event["event"] for event in journal.events()] == ["start", "metrics", "end"]


def test_what_a_mirror_sent_a_part_of_is_completed_once(project: Project) -> None:
    journal = _journal(project, "k9", ended=None)
    start, first = journal.events()
    run_id = runs.find_or_create(project.client, project.root, "toy", start)
    runs.MetricSender(project.client, run_id).send([first])
    journal.append("metrics", step=1, values={"val_loss": 1.0})
    journal.append("end", status="FINISHED", reason="")
    for _ in range(2):
        _sync(project)
        run = _find(project, "k9")
        assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")
        assert _history(project, run, "val_loss") == [(0, 2.0), (1, 1.0)]


def test_a_replayed_run_tells_of_the_commit_and_the_experiment_of_its_own_day(project: Project) -> None:
    journal = _journal(project, "k9")
    then = outbox.record_origin(journal.path, project.root, "another experiment")
    (project.root / "later.txt").write_text("")
    project.commit()
    sent = tracking.send_waiting(project.root, project.config)
    run = project.client.get_run(sent[0])
    assert run.data.tags["mlflow.source.git.commit"] == then.tags["mlflow.source.git.commit"]
    assert run.data.tags["mlflow.source.git.commit"] != runs.origin_tags(project.root)["convoy.commit"]
    assert "convoy.replayed" not in run.data.tags
    assert project.client.get_experiment(run.info.experiment_id).name == "another experiment"


def test_an_evaluation_that_found_no_server_is_sent_although_another_training_came_after(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for event in (*journal_events("good"), {"event": "end", "status": "FINISHED", "reason": ""}):
        Journal(project.root / ".convoy/runs/key-of-good/journal.jsonl").append(**event)
    outbox.keep_evaluation(project.root)
    project.use("poor")
    _sync(project)
    run = _find(project, "key-of-good")
    assert run.data.metrics["test_accuracy"] == 1.0
    names = {a.path for a in project.client.list_artifacts(run.info.run_id, "evaluation")}
    assert {"evaluation/metrics.json", "evaluation/predictions.parquet"} <= names
    assert project.client.list_artifacts(run.info.run_id, "config")
    assert not list((project.root / ".convoy/runs").glob("*/unsent"))


def test_what_was_sent_is_not_looked_at_again_unless_everything_is_asked_for(project: Project) -> None:
    _journal(project, "k9")
    assert len(tracking.send_waiting(project.root, project.config)) == 1
    assert tracking.send_waiting(project.root, project.config) == []
    run = _find(project, "k9")
    assert tracking.send_waiting(project.root, project.config, everything=True) == [run.info.run_id]
    assert _history(project, _find(project, "k9"), "val_loss") == [(0, 2.0)]


def test_the_same_store_under_another_address_is_recognised(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = _journal(project, "k9")
    tracking.send_waiting(project.root, project.config)
    other = "sqlite:////" + str(project.root / ".convoy/mlflow/mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", other)
    assert not outbox.is_sent(journal.path, other)
    assert tracking.send_waiting(project.root, project.config) == []
    assert outbox.is_sent(journal.path, other)


def test_nothing_trained_is_nothing_to_sync(project: Project) -> None:
    shutil.rmtree(project.root / layout.TRAIN)
    with pytest.raises(DataError, match="nothing has been trained"):
        tracking.sync(project.root, project.config)


def test_a_server_that_is_away_is_said_and_nothing_is_lost(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(ResourceError, match="cannot be reached"):
            tracking.sync(project.root, project.config)
    assert _sync(project).info.status == "FINISHED"


def test_infinite_figures_are_left_out() -> None:
    flat = tracking.final_metrics({"test": {"accuracy": 0.5, "log_loss": float("inf")}, "intervals": {}})
    assert flat == {"test_accuracy": 0.5}


def test_baseline_robustness_and_copies_are_final_metrics_too() -> None:
    flat = tracking.final_metrics(
        {
            "test": {"accuracy": 0.9},
            "intervals": {"accuracy": [0.8, 1.0]},
            "robustness": {"noise": 0.7},
            "tta": {"copies": 4, "accuracy": 0.95},
            "baseline": {"name": "hog_linear", "accuracy": 0.6, "difference": 0.3, "interval": [0.2, 0.4]},
        }
    )
    assert flat == {
        "test_accuracy": 0.9,
        "test_accuracy_low": 0.8,
        "test_accuracy_high": 1.0,
        "test_robustness_noise": 0.7,
        "test_tta_copies": 4.0,
        "test_tta_accuracy": 0.95,
        "baseline_accuracy": 0.6,
        "baseline_difference": 0.3,
        "baseline_difference_low": 0.2,
        "baseline_difference_high": 0.4,
    }
