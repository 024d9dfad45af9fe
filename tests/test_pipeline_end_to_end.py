"""The whole way on a toy image folder: real DVC, Prefect, MLflow, in a project of its own."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from convoy.io import sha256_file
from tests.project import commit, environment, git, make_project, run

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
    assert "Running stage" not in again.stderr
    assert again.stderr.count("skipping") == 8
    assert len(versions(finished)) == 1
    assert "up to date" in run(finished, "dvc", "status").stdout
    runs = json.loads(run(finished, "convoy", "runs", "--json").stdout)
    assert [entry["status"] for entry in runs] == ["FINISHED"]


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


def _kill(victim: str, project: Path) -> None:
    """SIGKILL to the first process of this project whose command line holds `victim`."""
    import psutil

    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        for process in psutil.process_iter():
            try:
                command = " ".join(process.cmdline())
                if victim in command and "/sh" not in command and Path(process.cwd()) == project:
                    time.sleep(0.3)
                    process.send_signal(signal.SIGKILL)
                    return
            except psutil.Error:
                continue
        time.sleep(0.02)
    pytest.fail(f"{victim} never ran")


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
