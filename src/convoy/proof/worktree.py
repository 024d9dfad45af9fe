"""A clean git worktree of a commit in a scratch folder, with its own DVC cache; gone when the block ends.

The scratch folders lie in `.convoy/reproduce/`, each with a lock that its process holds. A killed process
leaves its folder; the next call finds the lock free and removes it.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from convoy.environment import state_dir
from convoy.errors import IntegrityError, ResourceError

_TREE, _CACHE, _LOCK = "tree", "cache", ".lock"
_GIT_SECONDS = 120
_END_SECONDS = 10.0


@dataclass(frozen=True)
class Worktree:
    """A commit laid out.

    Attributes:
        scratch: the folder that holds everything and disappears.
        project: the project's root in it (the repository's root, or the folder of the project below it).
        cache: DVC's cache for what the stages make, `files/md5` within.
    """

    scratch: Path
    project: Path
    cache: Path


@contextmanager
def laid_out(root: Path, commit: str, patch: str = "", keep: Path | None = None) -> Iterator[Worktree]:
    """Check a commit out beside everything else, apply a patch, and remove it all afterwards.

    Args:
        root: the project in this clone.
        keep: a folder, empty or missing, that gets the worktree and is not removed.

    Raises:
        IntegrityError: the patch does not apply.
        ResourceError: the commit is not to be had, or git failed.
    """
    prune(root)
    ensure_commit(root, commit)
    below = _git(root, "rev-parse", "--show-prefix").strip()
    with _scratch(root, keep) as scratch:
        tree = scratch / _TREE
        try:
            _git(root, "worktree", "add", "--quiet", "--detach", "--force", str(tree), commit)
            if patch:
                _apply(tree, patch)
            project = tree / below
            _configure_dvc(project, scratch)
            yield Worktree(scratch, project, scratch / _CACHE / "files" / "md5")
        finally:
            end_processes(scratch)
            if keep is None:
                _remove(root, tree)


def ensure_commit(root: Path, commit: str) -> None:
    """Make sure that the clone has a commit; its remotes are asked for it.

    Raises:
        ResourceError: nobody has it.
    """
    if _has(root, commit):
        return
    for remote in (_git(root, "remote", check=False) or "").split():
        _git(root, "fetch", "--quiet", remote, check=False)
        if not _has(root, commit):
            _git(root, "fetch", "--quiet", remote, commit, check=False)
        if _has(root, commit):
            return
    raise ResourceError(
        f"this clone has no commit {commit[:12]}, and its remotes do not give it",
        where=str(root),
        fix="`git fetch` from the clone that registered the model, or push the commit there",
    )


def prune(root: Path) -> None:
    """Remove what killed calls left."""
    folder = _folder(root)
    names = {path.name.removesuffix(_LOCK) for path in folder.iterdir()} if folder.is_dir() else set()
    for name in sorted(names):
        lock = FileLock(folder / f"{name}{_LOCK}")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue  # of a call that runs
        try:
            end_processes(folder / name)
            _remove(root, folder / name / _TREE)
            shutil.rmtree(folder / name, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)
        finally:
            lock.release()
    _git(root, "worktree", "prune", check=False)


def end_processes(folder: Path) -> None:
    """Wait shortly for convoy's processes that work inside a folder (a training's mirror), then end them."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            own = process.pid != os.getpid() and Path(process.cwd()).is_relative_to(folder)
            if own and any("convoy" in part or part == "dvc" for part in process.cmdline()):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    _, left = psutil.wait_procs(found, timeout=_END_SECONDS)
    for process in left:
        process.terminate()
    _, left = psutil.wait_procs(left, timeout=_END_SECONDS)
    for process in left:
        process.kill()


@contextmanager
def _scratch(root: Path, keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise ResourceError(
                "the folder is not empty", where=str(keep), fix="name one that is, or a new one"
            )
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    folder = _folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"run-{os.getpid()}-{secrets.token_hex(4)}"
    with FileLock(folder / f"{name}{_LOCK}") as lock:
        scratch = folder / name
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)


def _configure_dvc(project: Path, scratch: Path) -> None:
    """A cache that nobody shares. Remotes are asked through the clone, not from here."""
    folder = project / ".dvc"
    if not folder.is_dir():
        raise IntegrityError("the commit holds no DVC project", where=str(project), fix="`dvc init`, commit")
    cache = os.path.relpath(scratch / _CACHE, folder)  # DVC's settings hold ASCII only
    text = f'[core]\n    analytics = false\n[cache]\n    dir = {cache}\n    type = "reflink,copy"\n'
    (folder / "config.local").write_text(text, encoding="utf-8")


def _apply(tree: Path, patch: str) -> None:
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"],
        cwd=tree, input=patch.encode("utf-8"), capture_output=True, check=False, timeout=_GIT_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise IntegrityError(
            f"the changes that were logged with the model do not apply: {_last(done.stderr)}",
            where=str(tree),
            fix="register the model from a committed tree",
        )


def _remove(root: Path, tree: Path) -> None:
    _git(root, "worktree", "remove", "--force", str(tree), check=False)
    shutil.rmtree(tree, ignore_errors=True)
    _git(root, "worktree", "prune", check=False)


def _folder(root: Path) -> Path:
    return state_dir(root) / "reproduce"


def _has(root: Path, commit: str) -> bool:
    return _git(root, "cat-file", "-t", commit, check=False) == "commit\n"


def _git(root: Path, *arguments: str, check: bool = True) -> str:
    """Output of a git command; empty where it failed and `check` is off.

    Raises:
        ResourceError: it failed.
    """
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, check=False, timeout=_GIT_SECONDS,
            stdin=subprocess.DEVNULL, env={**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        if not check:
            return ""
        raise ResourceError(f"git failed: {error}", where=str(root), fix="install git") from error
    if done.returncode and check:
        raise ResourceError(
            f"`git {' '.join(arguments[:2])}` failed: {_last(done.stderr)}",
            where=str(root),
            fix="run it by hand to see why",
        )
    return done.stdout.decode("utf-8", "replace") if not done.returncode else ""


def _last(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no message"
