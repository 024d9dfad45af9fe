"""A committed project to rebuild from, and what its worktree is."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.repo import Repo

from convoy import provenance
from convoy.proof import worktree
from convoy.registry import register, tracking
from tests.registry.fixtures import Project, git


def registered(project: Project) -> register.Receipt:
    return register.register(project.root, project.config, tracking.sync(project.root, project.config))


def head(root: Path) -> str:
    commit = provenance.git_state(root).commit
    assert commit is not None
    return commit


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A committed DVC project without data."""
    root = tmp_path / "a project 项目"
    root.mkdir()
    git(root, "init", "-q")
    with Repo.init(str(root)):
        pass
    (root / ".gitignore").write_text("/.convoy/\n/artifacts/\n")
    (root / "params.yaml").write_text("data: {source: image_folder, path: data/raw/toy}\n")
    (root / "code.py").write_text("x = 1\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


@pytest.fixture
def tree(repository: Path) -> Iterator[worktree.Worktree]:
    with worktree.laid_out(repository, head(repository)) as found:
        yield found


def worktrees(root: Path) -> int:
    done = subprocess.run(["git", "worktree", "list"], cwd=root, check=True, capture_output=True, text=True)
    return len(done.stdout.splitlines())
