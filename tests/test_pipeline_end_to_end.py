"""The whole way on a toy image folder: real DVC, Prefect, MLflow, in a project of its own."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from convoy.io import sha256_file
from tests.project import commit, environment, git, make_project, processes, run

pytestmark = pytest.mark.slow

MODEL = Path("artifacts/train/model.safetensors")
PREDICTIONS = Path("artifacts/evaluate/predictions.parquet")


def digests(project: Path) -> list[str]:
    return [sha256_file(project / path) for path in (MODEL, PREDICTIONS)]


def versions(project: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(run(project, "convoy", "registry", "list", "--json").stdout)
    return rows


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after its first `convoy run`."""
    project = make_project(tmp_path_factory.mktemp("a project 项目"))
    done = run(project, "convoy", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "champion" in done.stdout
    return project


def test_a_run_ends_with_a_champion_and_a_second_one_changes_nothing(finished: Path) -> None:
    assert [(row["version"], row["aliases"]) for row in versions(finished)] == [("1", ["champion"])]
    again = run(finished, "convoy", "run")
    assert again.returncode == 0
    assert "registered before" in again.stdout
    assert again.stderr == ""  # neither server nor flow
    assert len(versions(finished)) == 1
    assert "up to date" in run(finished, "dvc", "status").stdout
    runs = json.loads(run(finished, "convoy", "runs", "--json").stdout)
    assert [entry["status"] for entry in runs] == ["FINISHED"]


def test_a_flow_with_nothing_to_do_skips_each_stage_in_a_task(finished: Path) -> None:
    """What a schedule runs: the flow itself, which finds by one question to DVC that nothing is stale."""
    done = run(finished, sys.executable, "flows/pipeline.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("didn't change, skipping") == 8
    assert done.stderr.count("Finished in state Completed") == 10  # and registration, and the flow
    assert "registered before" in done.stdout


def test_a_flow_whose_checks_fail_ends_with_their_code_and_trains_nothing(tmp_path: Path) -> None:
    """`convoy run` checks before it starts a flow; a served flow checks beside its first stage."""
    project = make_project(tmp_path / "project", {"prepare": {"height": 2, "width": 2}})
    done = run(project, sys.executable, "flows/pipeline.py")
    assert done.returncode == 2, done.stdout + done.stderr
    told = done.stderr[done.stderr.rindex("error 2: ") :]
    assert "Traceback" not in told
    assert "Running stage 'validate'" not in done.stderr
    assert not (project / "artifacts" / "train").exists()
    assert not list(processes(project))
    assert "failed: the parameters are wrong" in run(project, "convoy", "explain").stdout


def test_dvc_repro_alone_ends_in_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    done = run(project, "dvc", "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    assert digests(project) == digests(finished)


def test_prediction_agrees_with_the_evaluation(finished: Path) -> None:
    import pandas as pd

    table = pd.read_parquet(finished / PREDICTIONS)
    rows = table[table["split"] == "test"]
    paths = [f"data/raw/toy/{path}" for path in rows["path"]]
    done = run(finished, "convoy", "predict", *paths, "--model", "models:/digits@champion", "--json")
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert [answer["label"] for answer in answers] == list(rows["prediction"])
    for answer, (_, row) in zip(answers, rows.iterrows(), strict=True):
        for name, value in answer["probabilities"].items():
            assert value == pytest.approx(row[f"p:{name}"], abs=1e-4)


def test_a_restored_training_is_mirrored_from_its_journal(finished: Path, tmp_path: Path) -> None:
    """The cache of one machine serves another: nothing is trained, yet MLflow gets the run."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(finished), str(clone))
    for folder in ("data/raw", ".dvc/cache"):
        shutil.copytree(finished / folder, clone / folder, dirs_exist_ok=True)
    shutil.copy(finished / "dvc.lock", clone / "dvc.lock")
    assert run(clone, "dvc", "checkout").returncode == 0
    done = run(clone, "convoy", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Running stage 'train'" not in done.stderr
    [entry] = json.loads(run(clone, "convoy", "runs", "--json").stdout)
    assert entry["status"] == "FINISHED"
    assert digests(clone) == digests(finished)


def test_an_experiment_reruns_only_what_depends_on_it(finished: Path) -> None:
    commit(finished)
    done = run(finished, "dvc", "exp", "run", "-S", "train.optimizer.lr=0.01")
    assert done.returncode == 0, done.stdout + done.stderr
    ran = [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]
    assert ran == ["train", "evaluate", "package"]
    assert len(json.loads(run(finished, "convoy", "runs", "--json").stdout)) == 2
    git(finished, "checkout", "--quiet", "--force", ".")
    assert run(finished, "dvc", "checkout").returncode == 0


@pytest.mark.parametrize(
    "victim", ["convoy stage prepare", "convoy stage train", "flows/pipeline.py", "--wait-for-lock repro"]
)
def test_a_killed_run_completes_when_it_is_started_again(victim: str, finished: Path, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    started = subprocess.Popen(
        ["convoy", "run"], cwd=project, env=environment(project), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _kill(victim, project)
    started.wait(timeout=120)
    assert started.returncode != 0
    done = run(project, "convoy", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert digests(project) == digests(finished)
    assert len(versions(project)) == 1
    [entry] = json.loads(run(project, "convoy", "runs", "--json").stdout)
    assert entry["status"] == "FINISHED"
    assert "Running" not in flow_runs(project)


@pytest.mark.parametrize(
    ("number", "stage", "group"),
    [(signal.SIGINT, "convoy stage train", True), (signal.SIGTERM, "convoy stage prepare", False)],
    ids=["Ctrl-C while it trains", "SIGTERM while it prepares"],
)
def test_a_run_that_is_ended_leaves_no_process_and_completes_later(
    number: signal.Signals, stage: str, group: bool, finished: Path, tmp_path: Path
) -> None:
    """Ctrl-C goes to the whole process group, `kill` to one process. Tries are left, and none is used."""
    project = make_project(tmp_path / "project", {"flow": {"retries": 3, "retry_delay_seconds": 60}})
    started = subprocess.Popen(
        ["convoy", "run"], cwd=project, env=environment(project), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    _wait_for(stage, project)
    (os.killpg if group else os.kill)(started.pid, number)
    assert started.wait(timeout=30) == 128 + number
    deadline = time.monotonic() + 20  # the mirror tells MLflow how the training ended
    while (left := list(processes(project))) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
    done = run(project, "convoy", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert digests(project) == digests(finished)
    assert flow_runs(project) == ["Crashed", "Completed"]


def flow_runs(project: Path) -> list[str]:
    """The states of the flow's runs, the oldest first, as Prefect's database has them."""
    with closing(sqlite3.connect(project / ".prefect/prefect.db")) as connection:
        return [state for (state,) in connection.execute("SELECT state_name FROM flow_run ORDER BY created")]


def _kill(victim: str, project: Path) -> None:
    """SIGKILL to the first process of this project whose command line holds `victim`."""
    _wait_for(victim, project).send_signal(signal.SIGKILL)


def _wait_for(name: str, project: Path) -> Any:
    """The first process of this project whose command line holds `name`, a moment after it appeared."""
    deadline = time.monotonic() + 300  # on a machine with other work
    while time.monotonic() < deadline:
        for command, process in processes(project):
            if name in command and "/sh" not in command:
                time.sleep(0.3)
                return process
        time.sleep(0.02)
    pytest.fail(f"{name} never ran")


def test_a_wrong_parameter_stops_before_any_stage(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    params = project / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("patience:", "patiense:"), encoding="utf-8")
    done = run(project, "convoy", "run")
    assert done.returncode == 2
    assert "did you mean 'patience'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / "artifacts").exists()


def test_corrupt_pictures_stop_the_flow_with_their_names_and_code_3(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    (project / "data/raw/toy/上 up/坏.jpg").write_text("no picture")
    done = run(project, "convoy", "run")
    assert done.returncode == 3
    assert "坏.jpg" in done.stderr
    assert not (project / "artifacts/split").exists()
