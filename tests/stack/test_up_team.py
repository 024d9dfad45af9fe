"""A team's stack: PostgreSQL, S3, passwords. Two clones use it; the secrets are nowhere to be read."""

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import psutil
import pytest

from tests import servers
from tests.project import commit, environment, git, make_project, run
from tests.schedule.test_end_to_end import second_camera
from tests.stack.standing_stack import CONVOY, Up, ask, run_convoy, up

programs = servers.postgres_programs()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(programs is None, reason="PostgreSQL is not installed (Debian: postgresql)"),
]

CANARIES = {
    "PGPASSWORD": "canary-of-postgresql",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "canary-of-the-sessions",
    "MLFLOW_AUTH_ADMIN_PASSWORD": "canary-of-the-administrator",
    "PREFECT_SERVER_API_AUTH_STRING": "team:canary-of-prefect",
    "AWS_SECRET_ACCESS_KEY": "canary-of-the-bucket",
}
WORDS = [value.rpartition(":")[2].encode() for value in CANARIES.values()]
MEMBER = {
    "MLFLOW_TRACKING_USERNAME": "admin",
    "MLFLOW_TRACKING_PASSWORD": CANARIES["MLFLOW_AUTH_ADMIN_PASSWORD"],
    "PREFECT_API_AUTH_STRING": CANARIES["PREFECT_SERVER_API_AUTH_STRING"],
}


@dataclass
class Team:
    """Attributes:
    place: folder of everything that was written.
    stack: of the first clone.
    cloud: variables with which S3 is reached.
    seen: command lines of all processes while the first clone's run went on.
    """

    place: Path
    stack: Up
    cloud: dict[str, str]
    seen: list[bytes]


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    assert programs is not None
    place = tmp_path_factory.mktemp("team")
    port = servers.free_port()
    cloud = {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": CANARIES["AWS_SECRET_ACCESS_KEY"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    moto = [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    project = make_project(place / "first", {"train": {"epochs": 20}})
    with (
        servers.postgres(place / "postgres.log", programs, CANARIES["PGPASSWORD"]) as database,
        servers.process(moto, place / "moto.log", {}),
    ):
        servers.until(lambda: servers.answers(f"http://127.0.0.1:{port}/moto-api/"), what="S3")
        _buckets(cloud)
        _remote(project, f"http://127.0.0.1:{port}")
        options = ("--backend", f"postgresql://convoy@{database}/team", "--artifacts", "s3://models/mlflow")
        with up(project, *options, **{**CANARIES, **cloud, **MEMBER}) as stack:
            yield Team(place, stack, cloud, [])


def test_its_servers_are_loopbacks_and_ask_for_passwords(team: Team) -> None:
    found = team.stack.found
    assert found.backend == "postgresql"
    assert {address for address, _ in team.stack.sockets()} == {"127.0.0.1"}
    assert ask(found.mlflow, "/api/2.0/mlflow/experiments/search?max_results=1") == 401
    assert ask(found.prefect, "/api/flow_runs/filter", body={}) == 401
    login = {"Authorization": f"Basic {_basic('admin:' + CANARIES['MLFLOW_AUTH_ADMIN_PASSWORD'])}"}
    assert ask(found.mlflow, "/api/2.0/mlflow/experiments/search?max_results=1", headers=login) == 200


def test_a_run_goes_through_it_and_its_data_are_pushed(team: Team) -> None:
    variables = {**team.stack.variables}
    for name in ("PGPASSWORD", "MLFLOW_FLASK_SERVER_SECRET_KEY", "MLFLOW_AUTH_ADMIN_PASSWORD"):
        del variables[name]  # a member has no use for them
    with (
        (team.place / "run.log").open("wb") as log,
        subprocess.Popen(
            [*CONVOY, "run"], cwd=team.stack.root, env={**environment(team.stack.root), **variables},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        while process.poll() is None:
            team.seen += _command_lines()
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                continue
    text = (team.place / "run.log").read_text()
    assert process.returncode == 0, text + (team.place / "postgres.log").read_text()
    assert team.stack.found.mlflow in text
    pushed = _run(team, team.stack.root, "dvc", "push")
    assert pushed.returncode == 0, pushed.stderr
    keys = _keys(team.cloud, "models")
    assert any(key.startswith("mlflow/") and key.endswith("model.onnx") for key in keys)
    assert _keys(team.cloud, "data")


def test_a_second_clone_sees_the_registry_pulls_the_data_and_predicts(team: Team) -> None:
    commit(team.stack.root)
    clone = team.place / "second"
    git(team.place, "clone", "--quiet", str(team.stack.root), str(clone))
    servers_of = {"MLFLOW_TRACKING_URI": team.stack.found.mlflow, "PREFECT_API_URL": team.stack.found.prefect}
    listed = run_convoy(clone, "registry", "list", "--json", **servers_of, **MEMBER)
    assert listed.returncode == 0, listed.stderr
    assert '"champion"' in listed.stdout
    pulled = _run(team, clone, "dvc", "pull")
    assert pulled.returncode == 0, pulled.stderr
    pictures = sorted((clone / "data/raw/toy").rglob("*.png"))
    assert len(pictures) == 48
    shutil.copy(pictures[0], team.place / "picture.png")
    predicted = run_convoy(clone, "predict", str(team.place / "picture.png"), **servers_of, **MEMBER)
    assert predicted.returncode == 0, predicted.stderr
    assert "上 up" in predicted.stdout + predicted.stderr


def test_a_schedule_trains_by_itself_on_new_data_which_a_second_clone_can_pull(team: Team) -> None:
    """Every minute; what is new is pushed to the bucket, and the other clone sees the second champion."""
    project, inbox = team.stack.root, team.place / "inbox"
    shutil.copytree(project / "data/raw/toy", inbox)
    added = team.stack.convoy(
        "schedule", "add", "* * * * *", "--name", "camera", "--on-new-data", "--watch", str(inbox),
        "--settle", "1", "--push", "--commit-lock", "scheduled/camera",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr

    def ended(word: str) -> bool:
        shown = team.stack.convoy("schedule", "show", "camera", "--json")
        assert shown.returncode == 0, shown.stderr
        runs = json.loads(shown.stdout)["runs"]
        assert {run["state"] for run in runs}.isdisjoint({"Failed", "Crashed"}), runs
        return any(word in str(run["said"]) for run in runs)

    servers.until(lambda: ended("version 1: champion"), 900, what="a run by itself")
    before = len(_keys(team.cloud, "data"))
    second_camera(inbox)
    servers.until(lambda: ended("version 2: champion"), 900, what="a run by itself on the new data")
    assert team.stack.convoy("schedule", "pause", "camera").returncode == 0
    assert len(_keys(team.cloud, "data")) > before
    clone = team.place / "second"
    git(clone, "fetch", "--quiet", "origin", "scheduled/camera")
    git(clone, "checkout", "--quiet", "FETCH_HEAD")
    pulled = _run(team, clone, "dvc", "pull", "data/raw/toy.dvc")
    assert pulled.returncode == 0, pulled.stderr
    assert len(list((clone / "data/raw/toy").rglob("*.png"))) == 48 + 80
    listed = run_convoy(
        clone, "registry", "list", "--json", MLFLOW_TRACKING_URI=team.stack.found.mlflow, **MEMBER
    )
    assert {row["version"]: row["aliases"] for row in json.loads(listed.stdout)}["2"] == ["champion"]


def test_the_champion_is_served_from_the_bucket(team: Team) -> None:
    servers.until(lambda: team.stack.found.serve is not None, 400, what="the champion")
    assert ask(str(team.stack.found.serve), "/health") == 200


def test_no_secret_is_on_a_command_line_in_a_file_a_database_or_the_bucket(team: Team) -> None:
    team.seen += _command_lines()
    planted = [line for line in team.seen if any(word in line for word in WORDS)]
    assert planted == []
    files = [path for path in team.place.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 200
    assert [path for path in files if any(word in path.read_bytes() for word in WORDS)] == []
    s3 = _s3(team.cloud)
    for bucket in ("models", "data"):
        for key in _keys(team.cloud, bucket):
            content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            assert not any(word in content for word in WORDS), key
    assert (team.stack.root / ".convoy/mlflow/auth.ini").stat().st_mode & 0o077 == 0


def _run(team: Team, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env={**environment(folder), **team.cloud}, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=600, check=False,
    )  # fmt: skip


def _remote(project: Path, endpoint: str) -> None:
    ignored = project / ".gitignore"
    ignored.write_text(ignored.read_text().replace("/data/raw/\n", ""))  # DVC has the data, git the pin
    for command in (
        ("dvc", "add", "--quiet", "data/raw/toy"),
        ("dvc", "remote", "add", "--default", "--quiet", "store", "s3://data/dvc"),
        ("dvc", "remote", "modify", "store", "endpointurl", endpoint),
    ):
        done = run(project, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    commit(project)


def _s3(cloud: dict[str, str]) -> "boto3.client":
    return boto3.client(
        "s3", endpoint_url=cloud["AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id="somebody", aws_secret_access_key=cloud["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def _buckets(cloud: dict[str, str]) -> None:
    for name in ("models", "data"):
        _s3(cloud).create_bucket(Bucket=name)


def _keys(cloud: dict[str, str], bucket: str) -> list[str]:
    pages = _s3(cloud).get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def _command_lines() -> list[bytes]:
    found = []
    for process in psutil.process_iter():
        try:
            found.append("\0".join(process.cmdline()).encode())
        except psutil.Error:
            continue
    return sorted(set(found))


def _basic(credentials: str) -> str:
    return base64.b64encode(credentials.encode()).decode()
