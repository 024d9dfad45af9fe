"""Each process of a run killed or told to end, each stage once; the next run ends in the same bytes."""

import signal
from pathlib import Path

import pytest

from tests.faults.interrupting import (
    SECONDS,
    bundle,
    explained,
    hit,
    log,
    mlflow_runs,
    nothing_is_left,
    quiet,
    small_project,
    started,
)
from tests.project import run

pytestmark = pytest.mark.slow

KILL, TERM = signal.SIGKILL, signal.SIGTERM
RUN, FLOW, SERVER = "bin/convoy run", "flows/pipeline.py", "prefect server start"
DVC, MIRROR = "--wait-for-lock repro", "convoy.registry.mirror"

# what, how, in which stage, and what `convoy explain` says of it; "": the run goes on
TREE = [
    (FLOW, KILL, "ingest", {"killed"}),
    (DVC, KILL, "validate", {"killed"}),
    (RUN, TERM, "split", {"told to end"}),
    (FLOW, TERM, "prepare", {"told to end"}),
    (RUN, KILL, "augment", {"killed", "told to end"}),
    (MIRROR, KILL, "train", {"done"}),
]
STAGES = ("ingest", "validate", "split", "prepare", "augment", "train", "evaluate", "package")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the bundle that nothing has disturbed."""
    project = small_project(tmp_path_factory.mktemp("undisturbed") / "project")
    done = run(project, "dvc", "repro", timeout=SECONDS * 2)
    assert done.returncode == 0, done.stdout + done.stderr
    return bundle(project)


def test_each_process_of_the_tree_killed_or_told_to_end_in_turn(undisturbed: str, tmp_path: Path) -> None:
    """Each start takes up what the one before it left; the last one has nothing more in its way."""
    project = small_project(tmp_path / "project")
    for victim, number, stage, causes in TREE:
        with started(project, "convoy", "run") as process:
            hit(project, victim, number, f"convoy stage {stage}")
            process.wait(SECONDS)
            assert quiet(project)
        found = explained(project)
        assert found["cause"] in causes, (victim, number, stage, found, log(project)[-3000:])
        assert (process.returncode == 0) == ("done" in causes)
    done = run(project, "convoy", "run", timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert bundle(project) == undisturbed
    assert mlflow_runs(project) == ["FINISHED"]
    nothing_is_left(project)


def test_each_stage_killed_once(undisturbed: str, tmp_path: Path) -> None:
    """By DVC alone, each stage twice: killed, and then whole."""
    project = small_project(tmp_path / "project")
    for stage in STAGES:
        with started(project, "dvc", "repro", "--single-item", stage) as process:
            hit(project, f"convoy stage {stage}", KILL, f"convoy stage {stage}")
            assert process.wait(SECONDS) != 0
            assert quiet(project)
        done = run(project, "dvc", "repro", "--single-item", stage, timeout=SECONDS)
        assert done.returncode == 0, (stage, done.stdout, done.stderr)
    assert bundle(project) == undisturbed
    done = run(project, "convoy", "run", timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert mlflow_runs(project) == ["FINISHED"]
    nothing_is_left(project)
