"""Rebuilding: the stages that a bundle needs, the environment they run in, and what counts as first."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from convoy.pipeline import rebuild
from convoy.proof import surroundings
from convoy.proof.origin import Origin
from convoy.proof.reproduce import Difference, SampleChange


def made(threads: object, recorded: int, cores: str = "") -> Origin:
    info: dict[str, Any] = {"params": {"train": {"threads": threads}}, "provenance": {"threads": recorded}}
    tags = {"convoy.cores": cores, "convoy.dirty": "false"}
    return Origin("digits", "1", "0" * 40, Path(), "0" * 64, tags, info=info)


def test_all_stages_of_the_checkout_lead_to_the_bundle(repository: Path) -> None:
    assert rebuild._order(repository) == [
        "ingest", "validate", "split", "prepare", "augment", "train", "evaluate", "package",
    ]  # fmt: skip


def test_a_stage_that_the_bundle_does_not_need_is_not_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = {"ingest": set(), "report": {"ingest"}, "package": {"ingest"}}
    monkeypatch.setattr(rebuild.dag, "graph", lambda _root: graph)
    assert rebuild._order(repository) == ["ingest", "package"]


def test_the_stages_run_the_commits_code_and_see_no_shared_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://registry")
    monkeypatch.setenv("PYTHONPATH", "/else")
    (tmp_path / "src").mkdir()
    found = rebuild._variables(tmp_path)
    assert found["PYTHONPATH"].split(os.pathsep) == [str(tmp_path / "src"), "/else"]
    assert found["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/.convoy/mlflow/mlflow.db"
    assert found["PREFECT_HOME"].startswith(str(tmp_path))


def test_the_train_stage_is_told_what_the_run_had_chosen() -> None:
    origin = made(2, 2)
    assert rebuild._engine(origin) == {}  # of an older bundle
    chosen = {"device": "cpu", "precision": "bf16", "memory_format": "channels_last", "compile": False}
    origin.info["provenance"] |= chosen
    assert json.loads(rebuild._engine(origin)["CONVOY_TRAIN_AS"]) == chosen


def test_the_cores_of_the_run_are_those_of_its_threads_where_it_took_them_all() -> None:
    assert surroundings.cores_of(made("auto", 4, cores="16")) == 4
    assert surroundings.cores_of(made(1, 1, cores="16")) == 16
    assert surroundings.cores_of(made(3, 3)) == 3


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinities")
def test_no_more_cores_are_used_than_there_were_and_all_are_back_afterwards() -> None:
    before = os.sched_getaffinity(0)
    with rebuild._cores(made("auto", 1)):
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
    with rebuild._cores(made("auto", 10_000)):
        assert os.sched_getaffinity(0) == before


def test_the_first_difference_is_the_earliest_in_the_graph(tmp_path: Path) -> None:
    order = ["ingest", "split", "train", "package"]
    train, package = Difference("train", "model", "a", "b"), Difference("package", "bundle", "a", "b")
    change = SampleChange("0" * 32, "relabelled", "x.png", "up", "down")
    failed = [("ingest", 1.0), ("split", 1.0)]

    def first(*args: Any) -> str:
        found = rebuild._first(*args, order, tmp_path, [])
        return f"{found.stage}: {found.file}" if found else ""

    assert first([], [], []) == ""
    assert first([], [package, train], []) == "train: model"
    assert first([change], [train], [package]) == "ingest: artifacts/ingest/samples.parquet"
    found = rebuild._first([], [train], [], order, tmp_path, failed)
    assert found is not None
    assert found.stage == "split"


def test_what_nobody_could_bring_back_is_said() -> None:
    origin = made("auto", 1)
    assert rebuild._unrecorded(origin, {"stages": {}}) == []
    dirty = Origin(**{**origin.__dict__, "tags": {"convoy.dirty": "true"}, "untracked": ("a.py",)})
    text = "\n".join(rebuild._unrecorded(dirty, None))
    for part in ("dvc.lock of the run is not recorded", "a.py", "uncommitted changes"):
        assert part in text
