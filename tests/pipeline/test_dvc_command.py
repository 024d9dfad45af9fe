"""Each dependency hashed once: fewer walks, the same dvc.lock."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from dvc.dependency.base import Dependency
from dvc.exceptions import ReproductionError
from dvc.repo import Repo

from convoy.pipeline import dvc_command
from tests.pipeline import toyline


@pytest.fixture
def project(tmp_path: Path) -> Path:
    toyline.make(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often DVC hashed a dependency, by name."""
    counts: Counter[str] = Counter()
    build = Dependency._build

    def counted(self: Any, odb: Any, path: str, *arguments: Any, **options: Any) -> Any:
        counts[Path(path).name] += 1
        return build(self, odb, path, *arguments, **options)

    monkeypatch.setattr(Dependency, "_build", counted)
    return counts


def test_a_stage_that_runs_walks_its_data_once_before_and_once_after(
    project: Path, walked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    with dvc_command.hashed_once(), Repo(str(project)) as repo:
        repo.reproduce(["read"], single_item=True)
    assert walked["raw"] == 2
    with Repo(str(project)) as repo:
        repo.reproduce(["read"], single_item=True, force=True)
    assert walked["raw"] > 4


def test_a_stage_that_is_up_to_date_walks_its_data_once(
    project: Path, walked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    with dvc_command.hashed_once(), Repo(str(project)) as repo:
        repo.reproduce(["read", "scale"])
        walked.clear()
        assert not repo.reproduce(["read", "scale"])
    assert walked["raw"] <= 1


def test_dvc_is_as_it_was_afterwards() -> None:
    from dvc.stage import run

    before = Dependency._build, run.cmd_run
    with pytest.raises(KeyboardInterrupt), dvc_command.hashed_once():
        raise KeyboardInterrupt
    assert (Dependency._build, run.cmd_run) == before


@pytest.mark.parametrize("reads", ["raw/a.txt raw/b.txt", "raw/a.txt; echo more > raw/c.txt"])
def test_dvc_lock_is_the_one_that_dvc_writes(project: Path, tmp_path: Path, reads: str) -> None:
    """Also where a stage's command writes into the data that it reads."""
    text = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(text.replace("raw/a.txt raw/b.txt", reads))
    other = toyline.copy(project, tmp_path / "other")
    command = [sys.executable, "-P", dvc_command.__file__, "dvc"]
    for stage in toyline.NAMES:
        subprocess.run(
            [*command, "repro", "--single-item", stage], cwd=project, check=True, capture_output=True
        )
        toyline.dvc(other, "repro", "--single-item", stage)
    assert (project / "dvc.lock").read_bytes() == (other / "dvc.lock").read_bytes()
    caches = [
        sorted(path.relative_to(root).as_posix() for path in (root / ".dvc/cache/files").rglob("*"))
        for root in (project, other)
    ]
    assert caches[0] == caches[1]


def test_the_exit_code_is_dvcs(project: Path) -> None:
    command = [sys.executable, "-P", dvc_command.__file__, "dvc", "repro", "--single-item", "nobody"]
    done = subprocess.run(command, cwd=project, check=False, capture_output=True, text=True)
    assert done.returncode == 255
    assert "nobody" in done.stderr


@pytest.mark.parametrize(
    "parameter", ["null", "1.0e-05", "'１２: #x'", "[1, [2, null], {}]", "'e😀 \\t'", "no"]
)
def test_an_entry_is_written_as_dvc_writes_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parameter: str
) -> None:
    monkeypatch.chdir(project)
    (project / "params.yaml").write_text(f"factor: {parameter}\n", encoding="utf-8")
    other = toyline.copy(project, tmp_path / "other")
    with dvc_command.locked_in_place(), Repo(str(project)) as repo:
        for _ in range(2):  # the second finds a file that it wrote itself
            repo.reproduce(["read", "scale"], force=True)
    for _ in range(2):
        toyline.dvc(other, "repro", "--force", "read", "scale")
    assert (project / "dvc.lock").read_bytes() == (other / "dvc.lock").read_bytes()


@pytest.mark.parametrize("more", ["# mine\n", "datasets: []\n"])
def test_a_lock_that_holds_more_is_left_to_dvc(
    project: Path, monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    monkeypatch.chdir(project)
    toyline.dvc(project, "repro", "read")
    lock = project / "dvc.lock"
    lock.write_text(lock.read_text() + more)
    with dvc_command.locked_in_place(), Repo(str(project)) as repo:
        repo.reproduce(["beside"])
    text = lock.read_text()
    assert more in text
    assert "\n  read:" in text
    assert "\n  beside:" in text


def test_a_failure_while_the_lock_is_written_leaves_the_old_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    toyline.dvc(project, "repro", "read")
    before = (project / "dvc.lock").read_bytes()

    def full(self: Path, *_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with dvc_command.locked_in_place(), Repo(str(project)) as repo:
        monkeypatch.setattr(Path, "write_text", full)
        with pytest.raises(ReproductionError):
            repo.reproduce(["beside"])
    assert (project / "dvc.lock").read_bytes() == before
