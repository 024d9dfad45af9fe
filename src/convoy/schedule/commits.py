"""What scheduled runs do with git: read a ref, commit on a branch, never move what is checked out.

Commits are made in the run's worktree and by plumbing. Those that models came from are kept by
`refs/convoy/schedules/NAME`, so that git never collects them, on a branch or not.
"""

from collections.abc import Sequence
from pathlib import Path

from convoy.errors import ConfigError, ResourceError
from convoy.proof.git import git

_KEPT = "refs/convoy/schedules"
_NOBODY = {"name": "convoy", "email": "convoy@localhost"}


def resolve(root: Path, ref: str) -> str:
    """The commit that a ref names now; a branch of a remote is fetched before.

    Raises:
        ConfigError: there is no such commit.
        ResourceError: the remote does not answer.
    """
    remote, _, branch = ref.partition("/")
    if branch and remote in git(root, "remote").split() and not _commit(root, f"refs/heads/{ref}"):
        git(root, "fetch", "--quiet", "--no-write-fetch-head", remote)
    found = _commit(root, ref)
    if not found:
        raise ConfigError(
            f"git knows no commit {ref!r}", where=str(root), fix="name a branch, a tag or a commit: --ref"
        )
    return found


def current(root: Path) -> str:
    """The branch that is checked out; HEAD where none is."""
    return git(root, "branch", "--show-current", check=False).strip() or "HEAD"


def check_branch(root: Path, branch: str) -> None:
    """Raises:
    ConfigError: it is no name for a branch, or somebody has it checked out.
    """
    if git(root, "check-ref-format", "--branch", branch, check=False).strip() != branch:
        raise ConfigError(f"{branch!r} cannot be a branch", where="--commit-lock", fix="choose another name")
    place = checked_out(root, branch)
    if place is not None:
        raise ConfigError(
            f"the branch {branch} is checked out; a commit would move it under somebody's hands",
            where=str(place),
            fix=f"name another branch, such as --commit-lock scheduled/{branch}; merge it when you like",
        )


def checked_out(root: Path, branch: str) -> Path | None:
    """The worktree that has a branch checked out, or None."""
    place: Path | None = None
    for line in git(root, "worktree", "list", "--porcelain").splitlines():
        kind, _, value = line.partition(" ")
        if kind == "worktree":
            place = Path(value)
        elif kind == "branch" and value == f"refs/heads/{branch}":
            return place
    return None


def line(schedule: str, branch: str | None) -> str:
    """The ref that the commits of a schedule follow one another on."""
    return f"refs/heads/{branch}" if branch else f"{_KEPT}/{schedule}"


def commit(project: Path, files: Sequence[str], message: str, follow: str) -> str:
    """Commit files of a detached worktree on top of a line, without moving that (see `keep`, `advance`).

    The tree is the worktree's; where the line lacks what is checked out there, the commit is a merge.

    Args:
        files: relative to `project`.
        follow: a ref, which need not exist yet.

    Returns:
        The new commit, now the worktree's HEAD; where nothing changed, the one that has it all.

    Raises:
        ResourceError: git failed.
    """
    git(project, "add", "--force", "--", *files)
    head, tip = _commit(project, "HEAD"), _commit(project, follow)
    tree = git(project, "write-tree").strip()
    if not tip or _behind(project, tip, head):
        parents = [head]
    else:
        parents = [tip] if _behind(project, head, tip) else [tip, head]
    made = parents[0]
    if len(parents) > 1 or tree != git(project, "rev-parse", f"{made}^{{tree}}").strip():
        options = [part for parent in parents for part in ("-p", parent)]
        made = git(
            project, "commit-tree", tree, *options, "-m", message, variables=_identity(project)
        ).strip()
    git(project, "update-ref", "--no-deref", "HEAD", made)
    return made


def keep(root: Path, schedule: str, made: str) -> None:
    """Let git never collect a commit, nor those before it."""
    name = f"{_KEPT}/{schedule}"
    kept = _commit(root, name)
    if kept and not _behind(root, kept, made):  # of another line: a schedule that moved to another branch
        git(root, "update-ref", f"{_KEPT}-before/{schedule}/{kept[:12]}", kept)
    git(root, "update-ref", name, made)


def advance(root: Path, branch: str, made: str) -> None:
    """Move a branch to a commit that follows it.

    Raises:
        ResourceError: somebody checked it out or moved it since; the commit is kept, and named.
    """
    place, tip = checked_out(root, branch), _commit(root, f"refs/heads/{branch}")
    if tip == made:
        return
    if place is not None or (tip and not _behind(root, tip, made)):
        why = f"it is checked out in {place}" if place else "somebody moved it"
        raise ResourceError(
            f"the branch {branch} was not moved to {made[:12]}: {why}",
            where=str(root),
            fix=f"`git merge {made[:12]}` on it; the commit is kept",
        )
    git(root, "update-ref", f"refs/heads/{branch}", made, tip or "0" * len(made))


def _commit(folder: Path, ref: str) -> str:
    return git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}",
               check=False).strip()  # fmt: skip


def _behind(folder: Path, older: str, newer: str) -> bool:
    """Whether a commit is another, or comes before it."""
    return git(folder, "merge-base", older, newer, check=False).strip() == older


def _identity(folder: Path) -> dict[str, str]:
    known = {key: git(folder, "config", f"user.{key}", check=False).strip() for key in _NOBODY}
    whole = known if all(known.values()) else _NOBODY
    return {f"GIT_{role}_{key.upper()}": whole[key] for role in ("AUTHOR", "COMMITTER") for key in _NOBODY}
