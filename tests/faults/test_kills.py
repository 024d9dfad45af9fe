"""Each process of a run killed or told to end, each stage once; the next run ends in the same bytes."""

import os
import shutil
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
    wait_for,
)
from tests.project import run

pytestmark = pytest.mark.slow

KILL, TERM = signal.SIGKILL, signal.SIGTERM
RUN, FLOW, SERVER = "bin/convoy run", "flows/pipeline.py", "prefect server start"
DVC, MIRROR, WARM = "--wait-for-lock repro", "convoy.registry.mirror", "convoy.pipeline.warm"

# what, how, in which stage, and what `convoy explain` says of it; "": the run goes on
TREE = [
    (FLOW, KILL, "ingest", {"killed"}),
    (DVC, KILL, "validate", {"killed"}),
    (RUN, TERM, "split", {"told to end"}),
    (FLOW, TERM, "prepare", {"told to end"}),
    (RUN, KILL, "augment", {"killed", "told to end"}),
    (MIRROR, KILL, "train", {"done"}),
]
# the rest of it; a run without its temporary Prefect server ends, and says so
REST = [
    ("convoy stage ingest", TERM, "ingest", {"told to end"}),
    (DVC, TERM, "validate", {"told to end"}),
    (SERVER, KILL, "prepare", {"server away"}),
    (SERVER, TERM, "augment", {"server away"}),
    (MIRROR, TERM, "train", {"done"}),
]
STAGES = ("ingest", "validate", "split", "prepare", "augment", "train", "evaluate", "package")
# faketime 0.9.10 moves the deadline of clock_nanosleep, too, which time.sleep takes from the true clock.
SLEEP = """
import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds) and None
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the bundle that nothing has disturbed."""
    project = small_project(tmp_path_factory.mktemp("undisturbed") / "project")
    done = run(project, "dvc", "repro", timeout=SECONDS * 2)
    assert done.returncode == 0, done.stdout + done.stderr
    return bundle(project)


def damage(project: Path) -> None:
    """Cut short what a power cut may cut: DVC's books, a journal's last line, Prefect's database."""
    temporary = project / ".dvc/tmp"
    temporary.mkdir(exist_ok=True)
    (temporary / "rwlock").write_text('{"write": {"/art')
    (temporary / "lock").write_text(" 4711\n")
    for journal in (project / ".convoy/runs").glob("*/journal.jsonl"):
        with journal.open("a") as handle:
            handle.write('{"event": "metri')
    database = project / ".prefect/prefect.db"
    if database.is_file():
        database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])


def test_each_process_of_the_tree_killed_or_told_to_end_in_turn(undisturbed: str, tmp_path: Path) -> None:
    """Each start takes up what the one before it left, which is damaged besides."""
    project = small_project(tmp_path / "project")
    for victim, number, stage, causes in TREE:
        damage(project)
        with started(project, "convoy", "run") as process:
            hit(project, victim, number, f"convoy stage {stage}")
            process.wait(SECONDS)
            assert quiet(project)
        found = explained(project)
        assert found["cause"] in causes, (victim, number, stage, found, log(project)[-3000:])
        assert (process.returncode == 0) == ("done" in causes)
    assert log(project).count("DVC's list of locked files, which was damaged") == len(TREE)
    assert log(project).count("Prefect's database is damaged") == len(TREE) - 1  # there was none at first
    damage(project)
    done = run(project, "convoy", "run", timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "half a line behind the end" in done.stderr
    assert bundle(project) == undisturbed
    assert mlflow_runs(project) == ["FINISHED"]
    nothing_is_left(project)


def test_the_rest_of_the_tree_killed_or_told_to_end_in_turn(undisturbed: str, tmp_path: Path) -> None:
    project = small_project(tmp_path / "project")
    for victim, number, stage, causes in REST:
        with started(project, "convoy", "run") as process:
            hit(project, victim, number, f"convoy stage {stage}")
            process.wait(SECONDS)
            assert quiet(project)
        found = explained(project)
        assert found["cause"] in causes, (victim, number, stage, found, log(project)[-3000:])
        assert (process.returncode == 0) == ("done" in causes)
    assert bundle(project) == undisturbed
    assert mlflow_runs(project) == ["FINISHED"]
    nothing_is_left(project)


@pytest.mark.parametrize("number", [KILL, TERM])
def test_a_stage_goes_on_without_the_process_that_it_was_forked_from(
    undisturbed: str, tmp_path: Path, number: signal.Signals
) -> None:
    """The stages after it begin by themselves, or are forked from another such process."""
    project = small_project(tmp_path / "project")
    with started(project, "convoy", "run") as process:
        stage = wait_for(project, "convoy stage train")
        assert stage.cmdline()[0] == "convoy stage train", "it was not forked"
        hit(project, WARM, number, "convoy stage train")
        assert process.wait(SECONDS) == 0, log(project)[-3000:]
    assert "Retry 1/" not in log(project)
    assert bundle(project) == undisturbed
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


@pytest.mark.skipif(
    shutil.which("faketime") is None, reason="faketime is not installed (apt-get install faketime)"
)
def test_a_clock_that_is_two_days_off_one_way_and_then_the_other(undisturbed: str, tmp_path: Path) -> None:
    """A run of two days ago is killed, one of the day after tomorrow finishes, today's has nothing to do."""
    project = small_project(tmp_path / "project")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(SLEEP, encoding="utf-8")
    path = os.pathsep.join(map(str, (project / "src", tmp_path / "site")))
    off = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "PYTHONPATH": path}
    with started(project, "faketime", "-f", "-2d", "convoy", "run", **off) as process:
        hit(project, FLOW, KILL, "convoy stage train")
        assert process.wait(SECONDS) != 0
        assert quiet(project)
    assert explained(project)["cause"] == "killed"
    with started(project, "faketime", "-f", "+2d", "convoy", "run", **off) as process:
        assert process.wait(SECONDS) == 0, log(project)[-3000:]
    today = run(project, "convoy", "run", timeout=SECONDS)
    assert today.returncode == 0, today.stderr
    assert "registered before" in today.stdout
    assert today.stderr == ""
    assert bundle(project) == undisturbed
    assert mlflow_runs(project) == ["FINISHED"]
    nothing_is_left(project)
