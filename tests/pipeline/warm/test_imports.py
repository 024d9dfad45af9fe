"""What is imported for all stages of a run, and when that does not hold any more."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import convoy
from convoy.pipeline.warm import imports
from convoy.pipeline.warm.imports import Begun

# Runs all steps in the folder of a project, and tells what is there then.
LOOK = """
import json, sys, threading
from convoy import environment
environment.quiet()
from convoy.pipeline.warm.imports import steps
for step in steps(stages=True):
    step()
import torch
print(json.dumps({
    "modules": sorted(sys.modules),
    "threads": threading.active_count(),
    "gpu": torch.cuda.is_initialized(),
}))
"""


def test_every_module_is_there_and_nothing_has_begun_to_work(repository: Path) -> None:
    """Where another version of a library has them elsewhere, that costs time and tells nobody."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOOK],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["threads"] == 1
    assert not found["gpu"]
    assert {"torch", "pytorch_lightning", "mlflow", "albumentations", "convoy.models.mnist_cnn"} <= set(
        found["modules"]
    )
    assert "onnxruntime" not in found["modules"]  # it begins a thread


def test_without_stages_it_is_dvc_alone() -> None:
    assert len(list(imports.steps(stages=False))) == len(imports.DVC)


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in the place of convoy's."""
    package = tmp_path / "convoy"
    (package / "stages").mkdir(parents=True)
    for name in ("__init__.py", "stages/train.py"):
        (package / name).write_text("first = 1\n")
    monkeypatch.setattr(convoy, "__file__", str(package / "__init__.py"))
    return package


def test_it_holds_while_nothing_has_changed(code: Path) -> None:
    begun = Begun.now()
    assert not begun.differs(os.environ)
    assert not begun.differs({**os.environ, "CONVOY_FLOW_PID": "1", "DVC_STAGE": "train", "PATH": "/bin"})


@pytest.mark.parametrize(
    "changed", [{"OMP_NUM_THREADS": "2"}, {"PYTHONHASHSEED": "1"}, {"TMPDIR": "/elsewhere"}]
)
def test_another_environment_ends_it(code: Path, changed: dict[str, str]) -> None:
    begun = Begun.now()
    assert begun.differs({**os.environ, **changed})


def test_a_variable_less_ends_it(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOMETHING", "1")
    begun = Begun.now()
    monkeypatch.delenv("SOMETHING")
    assert begun.differs(os.environ)


def test_changed_code_ends_it_even_with_the_size_and_time_of_before(code: Path) -> None:
    begun = Begun.now()
    file = code / "stages/train.py"
    before = file.stat()
    (code / "new.py").write_text("first = 2\n")
    (code / "new.py").replace(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert begun.differs(os.environ)


def test_code_that_is_gone_ends_it(code: Path) -> None:
    begun = Begun.now()
    (code / "stages/train.py").unlink()
    assert begun.differs(os.environ)


def test_a_file_beside_code_on_the_path_does_not(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    begun = Begun.now()
    (tmp_path / "dvc.lock").touch()
    assert not begun.differs(os.environ)


def test_a_package_that_was_installed_meanwhile_ends_it(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.syspath_prepend(packages)
    begun = Begun.now()
    (packages / "torch-99.dist-info").mkdir()
    assert begun.differs(os.environ)
