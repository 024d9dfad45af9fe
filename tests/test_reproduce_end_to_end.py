"""A registered model rebuilt in another clone that shares only the registry, on toy data with real tools."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from convoy.environment import default_tracking_uri
from tests.project import commit, environment, git, make_project, run

pytestmark = pytest.mark.slow

MODEL = "models:/digits@champion"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after its first `convoy run`, its results committed."""
    project = make_project(tmp_path_factory.mktemp("a project 项目"))
    done = run(project, "convoy", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    commit(project)
    return project


@pytest.fixture
def clone(finished: Path, tmp_path: Path) -> Path:
    """Another clone, with data of its own and the registry of the first."""
    folder = tmp_path / "another clone"
    git(tmp_path, "clone", "--quiet", str(finished), str(folder))
    shutil.copytree(finished / "data" / "raw", folder / "data" / "raw", dirs_exist_ok=True)
    return folder


def reproduce(clone: Path, finished: Path, *options: str) -> subprocess.CompletedProcess[str]:
    registry = f"MLFLOW_TRACKING_URI={default_tracking_uri(finished)}"
    return run(clone, "env", registry, "convoy", "reproduce", MODEL, *options)


def untouched(clone: Path) -> None:
    assert git(clone, "status", "--porcelain") == ""
    assert len(git(clone, "worktree", "list").splitlines()) == 1
    assert list((clone / ".convoy" / "reproduce").iterdir()) == []
    assert not (clone / "artifacts").exists()


def test_another_clone_rebuilds_the_champion_bit_for_bit(finished: Path, clone: Path) -> None:
    done = reproduce(clone, finished, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["verdict"] == "bit-identical", told
    assert (told["files"], told["samples"], told["first"]) == ([], [], None)
    assert told["numbers"]["max_difference"] == 0.0
    assert [entry["stage"] for entry in told["stages"]][-1] == "package"
    assert len(told["stages"]) == 8
    assert told["data"][0]["same"]
    assert told["notes"] == []
    assert "[8/8] package done" in done.stderr
    untouched(clone)
    versions = json.loads(run(finished, "convoy", "registry", "list", "--json").stdout)
    runs = json.loads(run(finished, "convoy", "runs", "--json").stdout)
    assert (len(versions), len(runs)) == (1, 1)  # the rebuild left nothing in the registry


def test_one_changed_label_is_named_with_the_stage_that_read_it(finished: Path, clone: Path) -> None:
    data = clone / "data" / "raw" / "toy"
    (data / "上 up" / "图 3.png").rename(data / "下 down" / "图 3 moved.png")
    done = reproduce(clone, finished)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "WARNING: taking this clone's, which are others" in done.stderr
    assert "stage ingest read other samples: 下 down/图 3 moved.png" in done.stderr
    assert "class 上 up → 下 down" in done.stderr
    assert "[4/8] prepare" not in done.stderr
    untouched(clone)


def test_a_killed_reproduction_leaves_nothing_after_the_next_one(finished: Path, clone: Path) -> None:
    variables = {**environment(clone), "MLFLOW_TRACKING_URI": default_tracking_uri(finished)}
    for number, code in ((signal.SIGTERM, 143), (signal.SIGKILL, -9)):
        with subprocess.Popen(
            ["convoy", "reproduce", MODEL], cwd=clone, env=variables, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stderr is not None
            for line in process.stderr:
                if "train …" in line:
                    break
            time.sleep(1)
            process.send_signal(number)
            process.stderr.read()
            assert process.wait(timeout=60) == code
        if number == signal.SIGTERM:
            untouched(clone)
    assert list((clone / ".convoy" / "reproduce").iterdir()) != []
    assert reproduce(clone, finished).returncode == 0
    untouched(clone)


def test_rounding_in_another_order_is_within_tolerance_and_told(finished: Path, clone: Path) -> None:
    """The registry is made to name a commit that computes the same otherwise, as another processor would."""
    code = clone / "src/convoy/training/entries/image.py"
    text = code.read_text(encoding="utf-8")
    assert "pixels / 255 - " in text
    code.write_text(text.replace("pixels / 255 - ", "pixels * (1 / 255) - "), encoding="utf-8")
    commit(clone)
    other = git(clone, "rev-parse", "HEAD").strip()
    original = git(finished, "rev-list", "--max-parents=0", "HEAD").strip()
    try:
        name_commit(clone, finished, other)
        done = reproduce(clone, finished, "--json")
    finally:
        name_commit(clone, finished, original)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["verdict"] == "within tolerance"
    assert told["first"]["stage"] == "train"
    assert told["first"]["file"].startswith("artifacts/train/")
    assert "artifacts/bundle/model.safetensors" in [each["file"] for each in told["files"]]
    assert 0 < told["numbers"]["max_difference"] <= 0.01


def name_commit(clone: Path, finished: Path, value: str) -> None:
    script = (
        "import sys; from pathlib import Path; from convoy.registry.client import connect; "
        "connect(Path('.')).set_model_version_tag('digits', '1', 'convoy.commit', sys.argv[1])"
    )
    registry = f"MLFLOW_TRACKING_URI={default_tracking_uri(finished)}"
    done = run(clone, "env", registry, "python", "-c", script, value)
    assert done.returncode == 0, done.stderr
