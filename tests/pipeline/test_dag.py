"""What convoy asks of DVC's own graph and cache."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from convoy.pipeline import dag


def dvc(root: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    """A project with data whose hash is pinned, as a clone has it: nothing is in DVC's cache."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "digits").mkdir()
    (tmp_path / "data" / "digits" / "images").write_bytes(b"pixels")
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    dvc(tmp_path, "add", "--quiet", "data/digits")
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    return tmp_path


def test_data_that_were_made_here_are_put_into_the_cache(pinned: Path) -> None:
    assert "not in cache" in dvc(pinned, "status")
    pin = (pinned / "data" / "digits.dvc").read_text()
    dag.keep(pinned, pinned / "data" / "digits")
    assert "up to date" in dvc(pinned, "status")
    assert (pinned / "data" / "digits.dvc").read_text() == pin


def test_data_that_are_not_under_dvc_are_left_alone(pinned: Path) -> None:
    (pinned / "data" / "free").mkdir()
    dag.keep(pinned, pinned / "data" / "free")
    assert not (pinned / ".dvc" / "cache" / "files").exists()
