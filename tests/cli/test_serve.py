"""`convoy serve` as a process: it answers, follows the alias, ends on signals; wrong starts are explained."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from convoy import layout
from convoy.bundle import contents
from convoy.data.manifest import content_id
from convoy.errors import ConfigError, IntegrityError, ResourceError
from convoy.monitor import kept
from tests.registry import fixtures
from tests.registry.fixtures import Command, Project
from tests.serving.servers import form

workshop = fixtures.workshop
empty_database = fixtures.empty_database
project = fixtures.project
convoy = fixtures.convoy

BUNDLE = str(layout.BUNDLE)
NOT_FOR_SERVING = (
    "torch", "pytorch_lightning", "safetensors", "onnx", "onnxscript", "albumentations", "dvc", "prefect",
    "mlxtend", "grimp", "torchmetrics", "sklearn", "scipy", "matplotlib", "captum", "jinja2",
)  # fmt: skip


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, in an environment without what serving does not need, and its address."""
    blocker = folder / ".blocked"
    blocker.mkdir(exist_ok=True)
    own = ("scipy", "sklearn", "matplotlib", "jinja2")  # MLflow's own needs
    blocked = tuple(name for name in NOT_FOR_SERVING if name not in own)
    (blocker / "sitecustomize.py").write_text(f"import sys\nfor n in {blocked!r}: sys.modules[n] = None\n")
    process = subprocess.Popen(
        [sys.executable, "-c", "from convoy.cli import main; main()", "serve", "--port", "0", *arguments],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(blocker), os.environ.get("PYTHONPATH", "")]).rstrip(
                os.pathsep
            ),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert " at http://" in line, line + process.stderr.read()
        address = line.split(" at ")[1].split()[0]
        yield process, address
    finally:
        process.kill()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


def ask(address: str, content: bytes | None = None) -> dict[str, object]:
    for _ in range(100):
        try:
            if content is None:
                request = Request(f"{address}/health")
            else:
                kind, body = form(("a.png", content))
                request = Request(f"{address}/predict", body, {"content-type": kind})
            with urlopen(request, timeout=10) as response:
                found: dict[str, object] = json.loads(response.read())
                return found
        except ConnectionError as error:
            last = error
        except OSError as error:  # urllib wraps it
            last = error
        time.sleep(0.05)
    raise AssertionError(f"no answer: {last}")


def test_it_answers_without_torch_follows_the_alias_and_ends_on_a_signal(
    convoy: Command, project: Project
) -> None:
    convoy("register")
    project.use("poor")
    convoy("register")
    client = project.client
    picture = next((project.root / "data/raw/toy/up").glob("test*.png")).read_bytes()
    with serving(project.root, "--poll", "0.2") as (process, address):
        answer = ask(address, picture)
        assert answer["predictions"][0]["label"] == "up"
        assert answer["model"]["version"] == "1"
        client.set_registered_model_alias("digits", "champion", "2")
        for _ in range(100):
            if ask(address)["model"]["version"] == "2":
                break
            time.sleep(0.1)
        assert ask(address, picture)["model"]["version"] == "2"
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 143
        assert "Traceback" not in process.stderr.read()


def test_with_keep_every_answer_is_on_disk_when_the_server_has_ended(
    convoy: Command, project: Project
) -> None:
    convoy("register")
    paths = sorted((project.root / "data/raw/toy/up").glob("test*.png"))[:3]
    with serving(project.root, "--keep") as (process, address):
        for path in paths:
            ask(address, path.read_bytes())
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 143
        assert "Traceback" not in process.stderr.read()
    rows = kept.read(project.root, contents.digest(project.root / layout.BUNDLE), 10)
    assert rows["id"].tolist() == [content_id(path.read_bytes()) for path in paths]
    assert set(rows["prediction"]) == {"up"}


def test_ctrl_c_ends_with_130(project: Project) -> None:
    with serving(project.root, "--model", BUNDLE) as (process, address):
        assert ask(address)["status"] == "ok"
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 130


def test_an_answer_under_way_is_finished_before_the_end(project: Project) -> None:
    picture = next((project.root / "data/raw/toy/up").glob("test*.png")).read_bytes()
    kind, body = form(("a.png", picture))
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
    head += f"Content-Length: {len(body)}\r\n"
    with serving(project.root, "--model", BUNDLE) as (process, address):
        ask(address)
        port = int(address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(head.encode() + b"\r\n" + body[:50])
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert process.poll() is None
            connection.sendall(body[50:])
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert process.wait(15) == 143


def test_a_taken_port_is_said_before_any_model_is_loaded(convoy: Command, project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        error = convoy("serve", "--model", "models:/nothing@champion", "--port", str(port)).error
    assert isinstance(error, ResourceError)
    assert f"port {port} is taken by process {os.getpid()}" in str(error)


def test_other_machines_are_not_served_without_a_token(convoy: Command, project: Project) -> None:
    for host in ("0.0.0.0", "192.0.2.1"):
        error = convoy("serve", "--model", BUNDLE, "--host", host).error
        assert isinstance(error, ConfigError)
        assert "--token-file" in str(error)


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        ("models:/digits@nobody", ConfigError, "digits has no alias 'nobody'"),
        ("models:/nothing@champion", ConfigError, "no model is called 'nothing'"),
        ("models:/../../etc@champion", ConfigError, "names no model version"),
        ("artifacts/train", IntegrityError, "bundle.json"),
    ],
)
def test_models_that_cannot_be_served_are_explained(
    convoy: Command, project: Project, model: str, kind: type[Exception], message: str
) -> None:
    convoy("register")
    error = convoy("serve", "--model", model, "--port", "0").error
    assert isinstance(error, kind)
    assert message in str(error)


def test_a_bundle_with_a_byte_changed_is_not_served(convoy: Command, project: Project) -> None:
    convoy("register")
    (stored,) = (project.root / ".convoy").rglob("artifacts/bundle/model.onnx")
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    assert isinstance(convoy("serve", "--port", "0").error, IntegrityError)


def test_a_folder_whose_network_is_another_is_not_served(convoy: Command, project: Project) -> None:
    """The checksums tell; without any, the golden samples, which are asked before anybody else."""
    folder = project.root / layout.BUNDLE
    (folder / "model.onnx").write_bytes((project.workshop / "poor" / "bundle" / "model.onnx").read_bytes())
    altered = convoy("serve", "--model", BUNDLE, "--port", "0").error
    assert isinstance(altered, IntegrityError)
    assert "model.onnx was altered" in str(altered)
    (folder / contents.SUMS).unlink()
    wrong = convoy("serve", "--model", BUNDLE, "--port", "0").error
    assert isinstance(wrong, IntegrityError)
    assert "golden sample" in str(wrong)


def test_a_registry_that_is_away_is_a_missing_resource(
    convoy: Command, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert isinstance(convoy("serve", "--port", "0").error, ResourceError)


def test_missing_packages_are_named(
    convoy: Command, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convoy.cli.serve._PACKAGES", ("fastapi", "no_such_package"))
    error = convoy("serve", "--model", BUNDLE).error
    assert isinstance(error, ResourceError)
    assert "no_such_package" in str(error)
    assert "convoy[serve]" in str(error)
