"""The folder that a version is rebuilt in."""

import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from convoy import provenance
from convoy.errors import IntegrityError, ResourceError
from convoy.proof import worktree
from tests.proof import clones
from tests.proof.clones import head, worktrees
from tests.registry.fixtures import git

repository = clones.repository
tree = clones.tree


def test_a_worktree_holds_the_commit_and_the_patch_and_is_gone_afterwards(repository: Path) -> None:
    commit = head(repository)
    (repository / "code.py").write_text("x = 2\n")
    patch = provenance.git_state(repository).diff
    (repository / "code.py").write_text("x = 3\n")
    with worktree.laid_out(repository, commit) as tree:
        assert (tree.project / "code.py").read_text() == "x = 1\n"
        assert worktrees(repository) == 2
    with worktree.laid_out(repository, commit, patch) as tree:
        assert (tree.project / "code.py").read_text() == "x = 2\n"
    assert (repository / "code.py").read_text() == "x = 3\n"
    assert not tree.scratch.exists()
    assert worktrees(repository) == 1
    assert list((repository / ".convoy" / "reproduce").iterdir()) == []


def test_a_worktree_has_a_dvc_cache_of_its_own(tree: worktree.Worktree, repository: Path) -> None:
    (tree.project / "data.txt").write_text("x")
    with Repo(str(tree.project)) as repo:
        repo.add(str(tree.project / "data.txt"))
        assert Path(repo.cache.local.path) == tree.cache
    assert [path for path in tree.cache.rglob("*") if path.is_file()]
    assert not (repository / ".dvc" / "cache").exists()


def test_an_interrupted_block_leaves_nothing(repository: Path) -> None:
    with pytest.raises(SystemExit), worktree.laid_out(repository, head(repository)) as tree:
        raise SystemExit(143)
    assert not tree.scratch.exists()
    assert worktrees(repository) == 1


def test_what_a_killed_call_left_is_removed_by_the_next(repository: Path) -> None:
    script = (
        "import os, sys, signal; from pathlib import Path; from convoy.proof import worktree\n"
        "with worktree.laid_out(Path(sys.argv[1]), sys.argv[2]) as tree:\n"
        "    print(tree.scratch, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    import sys

    done = subprocess.run(
        [sys.executable, "-c", script, repository, head(repository)],
        capture_output=True,
        text=True,
        check=False,
    )
    left = Path(done.stdout.strip())
    assert left.is_dir()
    with worktree.laid_out(repository, head(repository)) as tree:
        assert not left.exists()
        assert worktrees(repository) == 2
        worktree.prune(repository)  # of another call: this one's is in use
        assert tree.project.is_dir()
    assert list((repository / ".convoy" / "reproduce").iterdir()) == []


def test_a_kept_worktree_stays_in_an_empty_folder_only(repository: Path, tmp_path: Path) -> None:
    keep = tmp_path / "kept"
    with worktree.laid_out(repository, head(repository), keep=keep) as tree:
        assert tree.project.is_relative_to(keep)
    assert (keep / "tree" / "code.py").is_file()
    with (
        pytest.raises(ResourceError, match="not empty"),
        worktree.laid_out(repository, head(repository), keep=keep),
    ):
        pass


def test_a_commit_that_the_clone_lacks_is_fetched_or_asked_for(repository: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    (repository / "code.py").write_text("x = 2\n")
    git(repository, "commit", "-qam", "second")
    worktree.ensure_commit(clone, head(repository))
    git(clone, "remote", "remove", "origin")
    with pytest.raises(ResourceError, match="has no commit 0123456789ab"):
        worktree.ensure_commit(clone, "0123456789abcdef" * 2 + "01234567")


def test_a_patch_that_does_not_apply_is_an_integrity_error(repository: Path) -> None:
    patch = "diff --git a/code.py b/code.py\n--- a/code.py\n+++ b/code.py\n@@ -1 +1 @@\n-y = 9\n+y = 8\n"
    with (
        pytest.raises(IntegrityError, match="do not apply"),
        worktree.laid_out(repository, head(repository), patch),
    ):
        pass
    assert worktrees(repository) == 1
