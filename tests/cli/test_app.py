"""The command line as a user meets it: in processes of its own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from convoy.pipeline.repro import FAILURE

HEAVY = ("torch", "mlflow", "pandas", "numpy", "pydantic", "prefect", "dvc", "sklearn", "onnxruntime")


@pytest.fixture
def project(repository: Path, tmp_path: Path) -> Path:
    """Enough of a project for commands that run no stage."""
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).write_text((repository / name).read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def convoy(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from convoy.cli import main; main()", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120"},
    )  # fmt: skip


def test_the_command_line_loads_nothing_heavy() -> None:
    script = "import sys, convoy.cli; print([name for name in sys.argv[1:] if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script, *HEAVY], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_names_every_command(tmp_path: Path) -> None:
    done = convoy(tmp_path, "--help")
    assert done.returncode == 0
    for command in ("run", "stage", "config", "data", "runs", "compare", "register", "registry", "predict"):
        assert f" {command} " in done.stdout


def test_outside_a_project_the_error_says_so(tmp_path: Path) -> None:
    done = convoy(tmp_path, "run")
    assert done.returncode == 2
    assert done.stderr.startswith("error 2: this is not a convoy project")
    assert done.stdout == ""


def test_a_misspelt_key_ends_every_command_that_needs_it_with_2(project: Path) -> None:
    params = project / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("monitor:", "monitr:"), encoding="utf-8")
    for command in (["config", "check"], ["stage", "ingest"], ["run"]):
        done = convoy(project, *command)
        assert done.returncode == 2, command
        assert "did you mean 'monitor'" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_check_builds_the_policy_and_the_network(project: Path) -> None:
    assert convoy(project, "config", "check").returncode == 0
    params = project / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("rotate:", "rotat:"), encoding="utf-8")
    done = convoy(project, "config", "check")
    assert done.returncode == 2
    assert "did you mean 'rotate'" in done.stderr


def test_the_schema_describes_every_section(project: Path) -> None:
    schema = json.loads(convoy(project, "config", "schema").stdout)
    assert schema["additionalProperties"] is False
    assert {"data", "validate", "train", "register", "flow"} <= set(schema["properties"])


def test_show_fills_in_the_defaults(project: Path) -> None:
    shown = json.loads(convoy(project, "config", "show", "--json").stdout)
    assert shown["train"]["early_stopping"]["min_delta"] == 0.0


def test_a_stage_without_its_inputs_says_what_is_missing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FAILURE, str(project / "failure.json"))
    done = convoy(project, "stage", "train")
    assert done.returncode == 3
    assert "artifacts/prepare/preprocessor.json" in done.stderr
    record = json.loads((project / "failure.json").read_text())
    assert record["code"] == 3


def test_missing_data_are_named(project: Path) -> None:
    done = convoy(project, "stage", "ingest")
    assert done.returncode == 3
    assert "data/raw/mnist5k" in done.stderr


def test_an_unknown_stage_and_an_unknown_data_set_list_the_choices(project: Path) -> None:
    for arguments, choice in ((("stage", "trian"), "train"), (("data", "get", "cifar"), "mnist5k")):
        done = convoy(project, *arguments)
        assert done.returncode == 2
        assert choice in done.stderr


def test_a_traceback_is_shown_only_when_asked_for(tmp_path: Path) -> None:
    assert "Traceback" not in convoy(tmp_path, "run").stderr
    assert "Traceback" in convoy(tmp_path, "--debug", "run").stderr


def test_sigterm_ends_with_143(project: Path) -> None:
    script = (
        "import time; from convoy.cli import app; "
        "app.app = lambda **_: (print('up', flush=True), time.sleep(60)); app.main()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], cwd=project, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 143
    process.stdout.close()
