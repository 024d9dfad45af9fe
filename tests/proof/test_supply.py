"""What a rebuild takes from the clone because git does not hold it."""

from pathlib import Path

import pytest

from convoy.errors import ResourceError
from convoy.layout import PARAMS
from convoy.proof.supply import supply
from convoy.proof.worktree import Worktree


@pytest.fixture
def tree(tmp_path: Path) -> Worktree:
    (tmp_path / "clone").mkdir()
    project = tmp_path / "scratch" / "project"
    (project / "data").mkdir(parents=True)
    return Worktree(tmp_path / "scratch", project, tmp_path / "scratch" / "cache")


def bring(tree: Worktree, weights: str) -> None:
    text = f"data: {{path: data}}\nmodel: {{name: timm, weights: {weights}}}\n"
    (tree.project / PARAMS).write_text(text, encoding="utf-8")
    supply(tree.scratch.parent / "clone", tree, None, pytest.fail)


def test_pretrained_weights_that_git_ignores_come_from_the_clone(tree: Worktree) -> None:
    own = tree.scratch.parent / "clone" / "pretrained" / "net.pth"
    own.parent.mkdir()
    own.write_bytes(b"weights")
    bring(tree, "pretrained/net.pth")
    assert (tree.project / "pretrained" / "net.pth").read_bytes() == b"weights"


@pytest.mark.parametrize("weights", ["hub", "package:some-weights", "null"])
def test_other_weights_are_no_files_of_the_project(tree: Worktree, weights: str) -> None:
    bring(tree, weights)
    assert sorted(path.name for path in tree.project.iterdir()) == ["data", "params.yaml"]


@pytest.mark.parametrize("weights", ["pretrained/net.pth", "../../net.pth"])
def test_weights_that_are_nowhere_and_those_outside_are_told_of(tree: Worktree, weights: str) -> None:
    with pytest.raises(ResourceError, match="that training began with are not in the commit"):
        bring(tree, weights)
