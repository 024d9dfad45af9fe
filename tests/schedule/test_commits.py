"""Commits of scheduled runs: on their own line, on a branch that nobody has checked out, never elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from convoy.errors import ConfigError, ResourceError
from convoy.schedule import commits
from tests.project import git
from tests.schedule.toyclone import commit as by_hand
from tests.schedule.toyclone import head


@pytest.fixture
def tree(clone: Path) -> Iterator[Path]:
    """A detached worktree of `main`."""
    place = clone.parent / "tree"
    git(clone, "worktree", "add", "--quiet", "--detach", str(place), "main")
    yield place
    git(clone, "worktree", "remove", "--force", str(place))


def made(tree: Path, content: str, follow: str) -> str:
    (tree / "new.dvc").write_text(content)
    return commits.commit(tree, ["new.dvc"], f"has {content}", follow)


def parents(clone: Path, commit: str) -> list[str]:
    return git(clone, "rev-list", "--parents", "-n", "1", commit).split()[1:]


def test_a_ref_is_a_branch_a_tag_a_commit_or_head(clone: Path) -> None:
    git(clone, "tag", "v1")
    assert {commits.resolve(clone, ref) for ref in ("main", "v1", "HEAD", head(clone)[:10])} == {head(clone)}
    for wrong in ("nowhere", "--all", "HEAD:params.yaml"):
        with pytest.raises(ConfigError, match="git knows no commit"):
            commits.resolve(clone, wrong)


def test_a_branch_of_a_remote_is_fetched_first(clone: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(clone), "other")
    (clone / "note.txt").write_text("later")
    later = by_hand(clone, "later")
    assert commits.resolve(tmp_path / "other", "main") != later
    assert commits.resolve(tmp_path / "other", "origin/main") == later


def test_a_remote_that_is_away_is_said(clone: Path) -> None:
    git(clone, "remote", "add", "gone", str(clone.parent / "nowhere"))
    with pytest.raises(ResourceError, match="git fetch"):
        commits.resolve(clone, "gone/main")


def test_a_branch_that_is_checked_out_is_refused_and_left_alone(clone: Path, tree: Path) -> None:
    before = head(clone)
    with pytest.raises(ConfigError, match="main is checked out") as refused:
        commits.check_branch(clone, "main")
    assert "scheduled/main" in refused.value.fix
    new = made(tree, "one", "refs/heads/main")
    with pytest.raises(ResourceError, match="was not moved"):
        commits.advance(clone, "main", new)
    assert head(clone, "main") == before


def test_a_name_that_is_no_branch_is_refused(clone: Path) -> None:
    for wrong in ("a b", "..", "-d", "@{-1}"):
        with pytest.raises(ConfigError, match="cannot be a branch"):
            commits.check_branch(clone, wrong)


def test_commits_follow_one_another_on_the_branch(clone: Path, tree: Path) -> None:
    base = head(clone)
    line = commits.line("nightly", "scheduled")
    first = made(tree, "one", line)
    commits.advance(clone, "scheduled", first)
    git(tree, "checkout", "--quiet", "--force", "--detach", base)  # the next run begins at main again
    second = made(tree, "two", line)
    commits.advance(clone, "scheduled", second)
    assert head(clone, "scheduled") == second
    assert parents(clone, first) == [base]
    assert parents(clone, second) == [first]
    assert head(clone, "main") == head(clone) == base


def test_what_is_there_already_makes_no_commit(clone: Path, tree: Path) -> None:
    line = commits.line("nightly", "scheduled")
    first = made(tree, "one", line)
    commits.advance(clone, "scheduled", first)
    git(tree, "checkout", "--quiet", "--force", "--detach", "main")
    assert made(tree, "one", line) == first
    assert head(tree) == first


def test_a_branch_that_main_has_left_behind_is_joined_with_it(clone: Path, tree: Path) -> None:
    line = commits.line("nightly", "scheduled")
    first = made(tree, "one", line)
    commits.advance(clone, "scheduled", first)
    (clone / "note.txt").write_text("work goes on")
    onward = by_hand(clone, "onward")
    git(tree, "checkout", "--quiet", "--force", "--detach", "main")
    second = made(tree, "two", line)
    commits.advance(clone, "scheduled", second)
    assert parents(clone, second) == [first, onward]
    assert git(clone, "show", f"{second}:note.txt") == "work goes on"


def test_a_branch_that_somebody_moved_is_not_moved_back(clone: Path, tree: Path) -> None:
    new = made(tree, "one", commits.line("nightly", "scheduled"))
    other = git(clone, "commit-tree", "main^{tree}", "-p", "main", "-m", "other").strip()
    git(clone, "branch", "scheduled", other)
    with pytest.raises(ResourceError, match="somebody moved it"):
        commits.advance(clone, "scheduled", new)
    assert head(clone, "scheduled") == other


def test_commits_that_models_came_from_outlive_the_branch_and_the_collector(clone: Path, tree: Path) -> None:
    line = commits.line("nightly", None)
    first = made(tree, "one", line)
    commits.keep(clone, "nightly", first)
    git(tree, "checkout", "--quiet", "--force", "--detach", "main")
    second = made(tree, "two", line)
    commits.keep(clone, "nightly", second)
    other = git(clone, "commit-tree", "main^{tree}", "-p", "main", "-m", "another line").strip()
    commits.keep(clone, "nightly", other)
    git(tree, "checkout", "--quiet", "--force", "--detach", "main")
    git(clone, "reflog", "expire", "--expire=now", "--all")
    git(clone, "gc", "--quiet", "--prune=now")
    for kept in (first, second, other):
        assert git(clone, "cat-file", "-t", kept) == "commit\n"


def test_a_commit_is_made_where_git_knows_no_name(
    clone: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(clone.parent))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    new = made(tree, "one", commits.line("nightly", None))
    assert git(clone, "show", "-s", "--format=%an <%ae>", new).strip() == "convoy <convoy@localhost>"
