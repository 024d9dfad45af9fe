"""The lock that lies in the registry: real processes, on a real MLflow server."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest

from convoy.errors import ResourceError
from convoy.owners import Owner
from convoy.registry import client as connection
from convoy.registry import common_lock, lookup
from tests import servers

HOLD = """
import sys
from pathlib import Path
from convoy.registry.client import lock
with lock(None, "registry"):
    print("held", flush=True)
    sys.stdin.readline()
"""
# Adds one to a number that nothing else protects: a file, read and written with a pause between.
COUNT = """
import sys, time
from pathlib import Path
from convoy.registry.client import lock
path = Path(sys.argv[1])
for _ in range(int(sys.argv[2])):
    with lock(None, "registry"):
        number = int(path.read_text())
        time.sleep(0.01)
        path.write_text(str(number + 1))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.mlflow(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def client(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return mlflow.MlflowClient(server)


def start(code: str, *arguments: str, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], cwd=folder, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def holder(folder: Path) -> "subprocess.Popen[str]":
    process = start(HOLD, folder=folder)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def locks(client: Any) -> list[str]:
    return [m.name for m in client.search_registered_models() if m.name.startswith(common_lock.PREFIX)]


def bury(client: Any) -> None:
    for name in locks(client):
        client.delete_registered_model(name)


@pytest.mark.slow
def test_clones_in_different_folders_never_hold_it_at_once(client: Any, tmp_path: Path) -> None:
    number = tmp_path / "number"
    number.write_text("0")
    clones = [tmp_path / name for name in "abc"]
    for clone in clones:
        clone.mkdir()
    processes = [start(COUNT, str(number), "5", folder=clone) for clone in clones]
    for process in processes:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    assert number.read_text() == "15"
    assert locks(client) == []


def test_a_waiting_process_says_for_whom_and_gets_it_afterwards(client: Any, tmp_path: Path) -> None:
    first = holder(tmp_path)
    said: list[str] = []
    heard, taken = threading.Event(), threading.Event()

    def say(line: str) -> None:
        said.append(line)
        heard.set()

    def take() -> None:
        with common_lock.common_lock(client, "registry", say=say):
            taken.set()

    thread = threading.Thread(target=take)
    thread.start()
    assert heard.wait(60)
    assert not taken.is_set()
    assert f"process {first.pid} on " in said[0]
    first.communicate("\n", timeout=60)
    thread.join(60)
    assert taken.is_set()
    assert locks(client) == []


def test_what_a_killed_process_of_this_machine_held_is_taken_at_once(client: Any, tmp_path: Path) -> None:
    first = holder(tmp_path)
    first.kill()
    first.communicate()
    said: list[str] = []
    with common_lock.common_lock(client, "registry", ttl=3600, say=said.append):
        assert "convoy-lock-registry" in locks(client)
    assert f"process {first.pid} on " in said[0]
    assert "is gone" in said[0]
    bury(client)


@pytest.mark.slow
def test_of_many_that_saw_the_same_dead_holder_one_at_a_time_goes_on(client: Any, tmp_path: Path) -> None:
    first = holder(tmp_path)
    first.kill()
    first.communicate()
    number = tmp_path / "number"
    number.write_text("0")
    processes = [start(COUNT, str(number), "2", folder=tmp_path) for _ in range(4)]
    for process in processes:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    assert number.read_text() == "8"
    bury(client)


def test_a_holder_elsewhere_that_stands_still_loses_it_and_hears_so(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = replace(Owner.of(), boot="of another machine")
    monkeypatch.setattr(common_lock, "_me", lambda: elsewhere)
    monkeypatch.setattr(common_lock, "_beat", lambda *_: None)  # it is frozen
    with common_lock.common_lock(client, "registry") as frozen:
        frozen.confirm()
        monkeypatch.setattr(common_lock, "_me", Owner.of)
        said: list[str] = []
        with (
            common_lock.common_lock(client, "registry", ttl=0.5, say=said.append),
            pytest.raises(ResourceError, match="was lost"),
        ):
            frozen.confirm()
        assert "is gone" in said[0]
    bury(client)


@pytest.mark.slow
def test_a_holder_that_beats_is_waited_for_longer_than_its_time(client: Any, tmp_path: Path) -> None:
    first = holder(tmp_path)
    model = client.get_registered_model("convoy-lock-registry")
    elsewhere = replace(Owner.of(), boot="of another machine")
    client.set_registered_model_tag(model.name, "convoy.lock.owner", str(elsewhere))
    taken = threading.Event()

    def take() -> None:
        with common_lock.common_lock(client, "registry", ttl=30):
            taken.set()

    thread = threading.Thread(target=take)
    thread.start()
    servers.until(
        lambda: int(client.get_registered_model(model.name).tags["convoy.lock.beat"]) >= 2,
        what="a second beat",
    )
    assert not taken.is_set()
    first.communicate("\n", timeout=60)
    thread.join(60)
    assert taken.is_set()


def test_the_lock_is_no_model_to_those_who_list_them(client: Any) -> None:
    with connection.lock(None, "registry"):
        assert locks(client) == ["convoy-lock-registry"]
        assert lookup.model_names(client) == []


def test_a_change_under_a_lost_lock_is_not_made(client: Any) -> None:
    with connection.lock(None, "registry"):
        common_lock.confirm()
        client.delete_registered_model("convoy-lock-registry")
        with pytest.raises(ResourceError, match="nothing was changed"):
            common_lock.confirm()
    common_lock.confirm()  # held by none, asked by none


def test_a_server_that_is_away_is_a_resource_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{servers.free_port()}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ResourceError, match="cannot be reached"), connection.lock(tmp_path, "registry"):
        pass
