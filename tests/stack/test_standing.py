"""How other commands find the stack of a project."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from convoy import environment
from convoy.owners import Owner
from convoy.stack import standing
from convoy.stack.standing import Standing

VARIABLES = ("MLFLOW_TRACKING_URI", "PREFECT_API_URL")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".convoy").mkdir()
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if k not in VARIABLES})
    return tmp_path


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def stand(root: Path, owner: Owner, *children: tuple[str, Owner]) -> Standing:
    found = Standing(owner, "http://127.0.0.1:5", "http://127.0.0.1:4/api", None, "sqlite")
    standing.write(root, found, children)
    return found


def test_a_stack_is_found_while_its_supervisor_lives(root: Path, child: "subprocess.Popen[bytes]") -> None:
    assert standing.find(root) is None
    written = stand(root, Owner.of(child.pid))
    assert standing.find(root) == written
    child.kill()
    child.wait()
    assert standing.find(root) is None


def test_only_the_user_can_read_where_the_servers_are(root: Path) -> None:
    stand(root, Owner.of())
    assert stat.S_IMODE((root / standing.FILE).stat().st_mode) == 0o600
    assert [path.name for path in (root / ".convoy").iterdir()] == ["stack.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": "x"}'])
def test_a_damaged_note_is_no_stack(root: Path, text: str) -> None:
    (root / standing.FILE).write_text(text)
    assert standing.find(root) is None
    assert standing.leftovers(root) == []


def test_a_stack_of_another_machine_is_none_of_ours(root: Path) -> None:
    stand(root, Owner.of())
    known = json.loads((root / standing.FILE).read_text())
    (root / standing.FILE).write_text(json.dumps({**known, "host": "elsewhere"}))
    assert standing.find(root) is None
    assert standing.leftovers(root) == []


def test_the_standing_servers_are_the_projects_unless_the_user_named_others(root: Path) -> None:
    found = stand(root, Owner.of())
    os.environ["PREFECT_API_URL"] = "http://mine"
    environment.apply(root)
    assert [os.environ[name] for name in VARIABLES] == [found.mlflow, "http://mine"]


def test_without_a_stack_the_project_has_its_own_database(root: Path) -> None:
    environment.apply(root)
    assert os.environ["MLFLOW_TRACKING_URI"] == environment.default_tracking_uri(root)
    assert "PREFECT_API_URL" not in os.environ


def test_what_a_killed_supervisor_left_is_known(root: Path, child: "subprocess.Popen[bytes]") -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as supervisor:
        stand(root, Owner.of(supervisor.pid), ("mlflow", Owner.of(child.pid)))
        assert standing.leftovers(root) == []  # it lives, and they are its own
        supervisor.kill()
    assert [(name, process.pid) for name, process in standing.leftovers(root)] == [("mlflow", child.pid)]
    child.kill()
    child.wait()
    assert standing.leftovers(root) == []
