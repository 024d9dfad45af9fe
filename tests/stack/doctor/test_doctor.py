"""`convoy doctor` names what is broken and how to mend it, and changes nothing."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from convoy import environment
from convoy.owners import Owner
from convoy.pipeline import lease
from convoy.stack import standing
from convoy.stack.doctor import machine, origins, project, servers, versions
from convoy.stack.doctor.finding import Finding
from convoy.stack.settings import SECRETS
from convoy.stack.standing import Standing
from tests.servers import free_port


@pytest.fixture
def root(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without runs, whose environment is applied to a copy of this one's."""
    for name in ("params.yaml", "dvc.yaml", ".dvc/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(repository / name, tmp_path / name)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("MLFLOW_", "PREFECT_"))}
    monkeypatch.setattr(os, "environ", kept)
    monkeypatch.setenv("CONVOY_DEVICE_LEASES", str(tmp_path / "devices"))
    environment.apply(tmp_path)
    return tmp_path


def of(findings: Iterator[Finding], topic: str) -> list[tuple[str, str]]:
    return [(each.status, each.said) for each in findings if each.topic == topic]


def test_what_is_installed_here_is_in_the_declared_ranges() -> None:
    assert [finding for finding in versions.look() if finding.status == "broken"] == []


def test_a_package_below_its_floor_or_missing_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = ["mlflow<3.18,>=3.17", "numpy>=2.1", 'convoy[serve]; extra == "pipeline"',
                'fastapi; extra == "serve"', 'boto3; extra == "team"', 'nose; extra == "dev"']  # fmt: skip
    installed = {"convoy": "0.1.0", "mlflow": "3.9.0", "numpy": "2.4.6"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, "requires", lambda _: declared)
    monkeypatch.setattr(metadata, "version", version)
    found = {finding.said: finding for finding in versions.look()}
    old = next(finding for said, finding in found.items() if said.startswith("mlflow 3.9.0 is not"))
    assert old.status == "broken"
    assert old.fix.startswith('pip install "mlflow')
    assert found["fastapi is not installed"].status == "broken"
    assert found["boto3 is not installed (extra team)"].status == "note"
    assert "1 packages are in the ranges that convoy declares" in found  # numpy; nobody looked for nose


@contextmanager
def answering(ahead: float = 0.0, status: int = 200) -> Iterator[str]:
    """A server whose clock is `ahead` seconds ahead."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status)
            self.send_header("Date", formatdate(time.time() + ahead, usegmt=True))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_new_project_has_nothing_broken(root: Path) -> None:
    found = [*servers.look(root), *project.look(root)]
    assert [finding for finding in found if finding.status == "broken"] == []
    assert ("ok", "MLflow: no database yet; the first run makes it") in of(iter(found), "servers")
    assert of(iter(found), "remotes")[0][0] == "note"


def test_servers_that_are_away_are_broken_with_what_to_do(root: Path) -> None:
    os.environ["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{free_port()}"
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{free_port()}/api"
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    broken = [finding for finding in servers.look(root) if finding.status == "broken"]
    assert {finding.said.partition(" ")[0].rstrip(":") for finding in broken} == {"MLflow", "Prefect"}
    assert all("convoy up" in finding.fix for finding in broken)


def test_a_server_that_refuses_is_broken_with_its_answer(root: Path) -> None:
    with answering(status=401) as url:
        os.environ["PREFECT_API_URL"] = url
        found = of(servers.look(root), "servers")
    assert any(status == "broken" and "answers 401" in said for status, said in found)


@pytest.mark.parametrize(
    ("ahead", "status", "side"),
    [(0.0, "ok", "agrees"), (30.0, "note", "ahead"), (172_800.0, "broken", "ahead"),
     (-172_800.0, "broken", "behind")],
)  # fmt: skip
def test_a_clock_that_is_off_is_told(root: Path, ahead: float, status: str, side: str) -> None:
    with answering(ahead) as url:
        os.environ["PREFECT_API_URL"] = url
        found = of(servers.look(root), "clock")
    assert any(s == status and "of Prefect" in said and side in said for s, said in found), found


def test_a_folder_that_cannot_be_written_is_told(root: Path) -> None:
    shutil.rmtree(root / ".convoy")
    (root / ".convoy").write_text("")
    assert of(servers._files(root), "clock")[0][0] == "broken"


def test_a_remote_that_is_there_and_one_that_is_not(root: Path, tmp_path: Path) -> None:
    (tmp_path / "store/files/md5").mkdir(parents=True)  # as the first push leaves it
    add = [Path(sys.executable).parent / "dvc", "remote", "add", "--quiet"]
    for name, place in (("here", "store"), ("gone", "nowhere")):
        subprocess.run([*add, name, str(tmp_path / place)], cwd=root, check=True, env={**os.environ})
    found = {said.partition(" ")[0]: status for status, said in of(project.look(root), "remotes")}
    assert found["here"] == "ok"
    assert found["gone"] == "note"
    assert found["no"] == "note"  # none is the default


def test_a_lease_names_its_holder(root: Path) -> None:
    with lease.project(root, "convoy run"):
        (found,) = of(project.look(root), "locks")
    assert found[0] == "ok"
    assert f"`convoy run` of {lease.holder.user()} (process {os.getpid()}" in found[1]
    assert of(project.look(root), "locks") == [("ok", "nobody runs anything here")]


def test_dvcs_list_of_locks_cut_off_is_told_and_left_alone(root: Path) -> None:
    assert of(project._state(root), "state") == []
    rwlock = root / ".dvc/tmp/rwlock"
    rwlock.parent.mkdir(exist_ok=True)
    rwlock.write_text('{"a": {"write"')
    ((status, said),) = of(project._state(root), "state")
    assert status == "note"
    assert "lock" in said
    assert rwlock.read_text() == '{"a": {"write"'


def test_a_killed_stack_is_told_and_what_it_left_is_broken(root: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as left:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as supervisor:
            owner = Owner.of(supervisor.pid)
            found = Standing(owner, "http://x", "http://x/api", None, "sqlite")
            standing.write(root, found, [("mlflow", Owner.of(left.pid))])
            assert of(project._state(root), "state") == []
            supervisor.kill()
        assert [status for status, _ in of(project._state(root), "state")] == ["note", "broken"]
        left.kill()


def test_a_full_disk_is_broken(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100 << 20))
    assert {status for status, _ in of(machine._disk(root), "disk")} == {"broken"}


def test_each_setting_says_where_it_comes_from_and_secrets_are_not_shown(root: Path) -> None:
    stack = Standing(Owner.of(), "http://127.0.0.1:5", "http://127.0.0.1:4/api", None, "sqlite")
    standing.write(root, stack, [])
    given = {"MLFLOW_TRACKING_URI": "http://lin:hidden@mlflow", **dict.fromkeys(SECRETS, "a canary")}
    found = {each["name"]: each for each in origins.look(root, given)}
    assert found["MLFLOW_TRACKING_URI"]["from"] == "environment"
    assert found["MLFLOW_TRACKING_URI"]["value"] == "http://lin:***@mlflow"
    assert found["PREFECT_API_URL"] == {"name": "PREFECT_API_URL", "value": stack.prefect, "from": "stack"}
    assert found["PREFECT_HOME"]["from"] == "default"
    assert set(SECRETS) <= set(found)
    assert "canary" not in str(found)


def test_the_command_ends_with_5_where_something_is_broken_and_tells_programs_all(root: Path) -> None:
    command = [sys.executable, "-c", "from convoy.cli import main; main()", "doctor", "--json"]
    done = subprocess.run(
        command, cwd=root, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
        env={**os.environ, "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"},
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert done.returncode == 5
    assert told["ok"] is False
    assert {"topic", "status", "said", "fix"} == set(told["findings"][0])
    assert {"name", "value", "from"} == set(told["settings"][0])
    topics = {finding["topic"] for finding in told["findings"]}
    assert topics >= {"versions", "servers", "clock", "remotes", "locks", "disk", "GPU"}
