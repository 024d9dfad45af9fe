"""`convoy up` on SQLite, whole: on loopback, deaf to strangers, back after a kill, and gone together."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from convoy.stack import standing
from tests.project import make_project, run
from tests.servers import until
from tests.stack.standing_stack import Up, ask, gone, run_convoy, up

pytestmark = pytest.mark.slow

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
CREATE = "/api/2.0/mlflow/experiments/create"
RUNS = "/api/flow_runs/filter"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(make_project(tmp_path_factory.mktemp("stack") / "project")) as found:
        yield found


def test_every_socket_is_loopbacks(stack: Up) -> None:
    sockets = stack.sockets()
    listed = {int(url.rpartition(":")[2]) for url in (stack.found.mlflow, stack.found.prefect_ui)}
    assert listed <= {port for _, port in sockets}
    assert {address for address, _ in sockets} == {"127.0.0.1"}


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example"])
def test_a_foreign_host_is_refused_by_each_server(stack: Up, host: str) -> None:
    assert ask(stack.found.mlflow, SEARCH) == 200
    assert ask(stack.found.mlflow, SEARCH, host=host) == 403
    assert ask(stack.found.prefect, RUNS, body={}) == 200
    assert ask(stack.found.prefect, RUNS, body={}, host=host) == 403
    assert ask(stack.found.prefect, "/", host=host) == 403


def test_a_page_of_another_site_can_change_nothing(stack: Up) -> None:
    evil = "http://evil.example"
    assert ask(stack.found.mlflow, CREATE, body={"name": "planted"}, origin=evil) == 403
    assert ask(stack.found.prefect, RUNS, body={}, origin=evil) == 403
    assert ask(stack.found.prefect, RUNS, body={}, origin=stack.found.prefect_ui) == 200


def test_a_second_one_says_that_it_stands_and_ends_well(stack: Up) -> None:
    done = stack.convoy("up")
    assert done.returncode == 0
    assert "stands already" in done.stdout
    assert stack.found.mlflow in done.stdout


def test_the_doctor_sees_it_and_says_where_settings_come_from(stack: Up) -> None:
    done = stack.convoy("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"`convoy up` stands (process {stack.process.pid}, sqlite)" in done.stdout
    assert [line.split()[-1] for line in done.stdout.splitlines() if "MLFLOW_TRACKING_URI" in line] == [
        "stack"
    ]


@pytest.mark.parametrize("name", ["mlflow", "prefect", "worker"])
def test_a_service_that_is_killed_comes_back(stack: Up, name: str) -> None:
    first = stack.children()[name]
    os.kill(first, signal.SIGKILL)
    until(lambda: stack.children().get(name, first) != first, what="another process")
    server = {"mlflow": stack.found.mlflow, "prefect": stack.found.prefect_ui}.get(name)
    if server:
        path = "/health" if name == "mlflow" else "/api/health"
        until(lambda: _answers(server, path), what="an answer")
    assert f"{name} ended with SIGKILL" in stack.log.read_text()


def test_a_run_uses_the_servers_and_its_champion_is_served_at_once(stack: Up) -> None:
    assert stack.found.serve is None
    done = stack.convoy("run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert stack.found.mlflow in done.stdout
    assert stack.found.prefect_ui in done.stderr + done.stdout
    until(lambda: stack.found.serve is not None, what="the champion")
    assert stack.found.serve is not None
    assert ask(stack.found.serve, "/health") == 200
    assert ask(stack.found.serve, "/health", host="evil.example") == 421
    assert ask(stack.found.serve, "/predict", body={}, origin="http://evil.example") == 403
    assert {address for address, _ in stack.sockets()} == {"127.0.0.1"}


def test_afterwards_the_project_has_its_own_database_again_with_everything_in_it(
    stack: Up, tmp_path: Path
) -> None:
    stack.process.terminate()
    assert stack.process.wait(120) == 128 + signal.SIGTERM
    assert standing.find(stack.root) is None
    assert not (stack.root / standing.FILE).exists()
    listed = run_convoy(stack.root, "registry", "list")
    assert listed.returncode == 0, listed.stderr
    assert "champion" in listed.stdout
    picture = next((stack.root / "data/raw/toy").rglob("*.png"))
    shutil.copy(picture, tmp_path / "picture.png")
    predicted = run_convoy(stack.root, "predict", str(tmp_path / "picture.png"))
    assert predicted.returncode == 0, predicted.stderr


def test_one_that_is_killed_leaves_no_process_and_the_next_one_starts(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    with up(project, "--no-serve") as first:
        family = first.family()
        assert len(family) >= 4  # MLflow's two, Prefect, the worker
        first.process.kill()
        first.process.wait()
        until(lambda: all(map(gone, family)), what="the end of them all")
    assert (project / standing.FILE).exists()
    with up(project, "--no-serve") as second:
        assert second.found.owner.pid == second.process.pid
    assert run(project, "git", "status", "--porcelain").stdout == ""


def test_a_port_that_a_stranger_has_is_told_and_not_used(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        done = run_convoy(project, "up", "--mlflow-port", str(stranger.getsockname()[1]))
    assert done.returncode == 5
    assert f"is taken by process {os.getpid()}" in done.stderr


def test_it_is_not_opened_to_others_without_passwords(tmp_path: Path) -> None:
    done = run_convoy(make_project(tmp_path / "project"), "up", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "MLFLOW_AUTH_ADMIN_PASSWORD" in done.stderr


def _answers(server: str, path: str) -> bool:
    try:
        return ask(server, path) == 200
    except OSError:
        return False
