"""Whole runs that tell of their ends, with secrets as canaries: no file, database or output holds one."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from convoy.notify import sending
from convoy.pipeline.server import temporary_server
from tests.notify.robots import Robot
from tests.project import commit, environment, make_project

pytestmark = pytest.mark.slow

USER, PASSWORD, TOKEN = "canaryuser7431", "canaryPassw0rd9f2c", "canaryT0ken55ab"
CANARIES = (
    USER, PASSWORD, TOKEN, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode().rstrip("="),
)  # fmt: skip


def holding(folder: Path, text: str) -> list[str]:
    """Files that hold a text, anywhere below a folder."""
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    ]


def convoy(project: Path, addresses: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["convoy", *arguments], cwd=project, capture_output=True, text=True, timeout=900, check=False,
        stdin=subprocess.DEVNULL, env={**environment(project), sending.ADDRESSES: addresses, **more},
    )  # fmt: skip


def project_that_tells(folder: Path, **section: object) -> Path:
    project = make_project(folder)
    with (project / "params.yaml").open("a", encoding="utf-8") as file:
        file.write("\nnotify:\n")
        file.writelines(f"  {key}: {value}\n" for key, value in section.items())
    commit(project)
    return project


def test_a_failure_the_recovery_and_the_champion_are_told_and_no_secret_is_left_anywhere(
    tmp_path: Path, listener: Robot
) -> None:
    project = project_that_tells(tmp_path / "toy", events="[failed, recovered, promoted]")
    good = f"json://{USER}:{PASSWORD}@127.0.0.1:{listener.port}/{TOKEN}"
    addresses = f"{good} dingtalk://{TOKEN}! json://127.0.0.1:9/{TOKEN}"
    broken = project / "data/raw/toy/上 up/坏.jpg"
    broken.write_text("no picture")
    failed = convoy(project, addresses, "run")
    assert failed.returncode == 3, failed.stdout + failed.stderr
    broken.unlink()
    done = convoy(project, addresses, "run")
    assert done.returncode == 0, done.stdout + done.stderr

    assert [body["title"].partition(": ")[2].split(":")[0] for body in listener.bodies] == [
        "the run failed", "runs are well again", "digits version 1 is champion",
    ]  # fmt: skip
    assert "坏.jpg" in listener.bodies[0]["message"]
    assert "try: convoy explain" in listener.bodies[0]["message"]
    log = (project / sending.LOG).read_text(encoding="utf-8")
    assert len(log.splitlines()) == 6  # two senders that fail, three events

    assert ".convoy/mlflow/mlflow.db" in holding(project, "lenet5")  # the search sees inside of databases
    assert any(name.startswith(".prefect/prefect.db") for name in holding(project, "What this run made"))
    for canary in CANARIES:
        assert holding(project, canary) == []
        for run in (failed, done):
            assert canary not in run.stdout + run.stderr


def test_addresses_may_lie_in_a_prefect_block(tmp_path: Path, listener: Robot) -> None:
    project = project_that_tells(tmp_path / "toy", events="[failed]", block="team-robots", timeout_seconds=60)
    address = f"json://{USER}:{PASSWORD}@127.0.0.1:{listener.port}/{TOKEN}"
    save = (
        "import os; from prefect.blocks.system import Secret; "
        "Secret(value=os.environ['ADDRESS']).save('team-robots')"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(project / ".prefect"))
        patch.chdir(project)
        with temporary_server(project / "server.log") as server:
            url = server.address()
            more = {"PREFECT_API_URL": url, "PREFECT_HOME": str(project / ".prefect")}
            subprocess.run(
                [sys.executable, "-c", save], check=True, timeout=300,
                env={**environment(project), **more, "ADDRESS": address},
            )  # fmt: skip
            done = convoy(project, "", "notify", "test", "你好", **more)
    assert done.returncode == 0, done.stdout + done.stderr
    [(path, message)] = listener.messages
    assert (path, message["message"]) == (f"/{TOKEN}", "你好")
    for canary in CANARIES:
        assert holding(project, canary) == []  # Prefect keeps its blocks encrypted
        assert canary not in done.stdout + done.stderr
