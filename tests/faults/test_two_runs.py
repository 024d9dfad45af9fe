"""Several people and a schedule at once in one project: they take turns, and nothing is lost."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.interrupting import (
    SECONDS,
    bundle,
    flow_runs,
    log,
    mlflow_runs,
    nothing_is_left,
    small_project,
    started,
    wait_for,
)
from tests.project import environment, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    project = small_project(tmp_path_factory.mktemp("undisturbed") / "project")
    done = run(project, "dvc", "repro", timeout=SECONDS * 2)
    assert done.returncode == 0, done.stdout + done.stderr
    return bundle(project)


def test_two_runs_and_two_dvc_repro_at_once(undisturbed: str, tmp_path: Path) -> None:
    """The runs take turns. `dvc repro` by hand either gets its turn or is told who has the project."""
    project = small_project(tmp_path / "project")
    with ExitStack() as stack:
        first = stack.enter_context(started(project, "convoy", "run"))
        wait_for(project, "prefect server start")  # the first has the project
        second = stack.enter_context(started(project, "convoy", "run"))
        by_hand = [
            subprocess.Popen(
                ["dvc", "repro"], cwd=project, env=environment(project), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            for _ in range(2)
        ]  # fmt: skip
        for each in by_hand:
            said = each.communicate(timeout=SECONDS)[0]
            assert each.returncode != 0
            told = ("the project is taken by `convoy run`", "is busy", "Unable to acquire lock")
            assert any(words in said for words in told), said
        assert first.wait(SECONDS) == 0, log(project)[-3000:]
        assert second.wait(SECONDS) == 0, log(project)[-3000:]
    assert "waiting for `convoy run` of " in log(project)
    assert f"(process {first.pid}, since " in log(project)
    assert bundle(project) == undisturbed
    assert mlflow_runs(project) == ["FINISHED"]
    assert flow_runs(project) == ["COMPLETED"]  # the second found that nothing was left to do
    nothing_is_left(project)


def test_a_run_waits_for_a_dvc_repro_by_hand_and_refuses_at_once_if_asked(
    undisturbed: str, tmp_path: Path
) -> None:
    project = small_project(tmp_path / "project")
    with started(project, "dvc", "repro") as by_hand:
        wait_for(project, "convoy stage validate")
        refused = run(project, "convoy", "run", "--no-wait")
        assert refused.returncode == 5
        assert "the project is taken by `dvc repro` of " in refused.stderr
        with started(project, "convoy", "run") as waiting:
            assert by_hand.wait(SECONDS * 2) == 0, log(project)[-3000:]
            assert waiting.wait(SECONDS) == 0, log(project)[-3000:]
    assert "waiting for `dvc repro` of " in log(project)
    assert bundle(project) == undisturbed
    assert mlflow_runs(project) == ["FINISHED"]
    nothing_is_left(project)
