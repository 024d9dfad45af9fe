"""A clean git worktree of a commit in a scratch folder, gone when the block ends.

The scratch folders lie in `.convoy/reproduce/`, or another folder beside it, each with a lock that its
process holds. A killed process leaves its folder; the next call finds the lock free and removes it.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from convoy.environment import state_dir
from convoy.errors import IntegrityError, ResourceError
from convoy.locking import only_one
from convoy.proof.git import git, has_commit, last_line

_TREE, _CACHE, _LOCK = "tree", "cache", ".lock"
_GIT_SECONDS = 120
_END_SECONDS = 10.0
_REPRODUCE = "reproduce"
SITE = "DVC_SITE_CACHE_DIR"  # where DVC keeps a folder for every project it sees; /var/tmp unless told


@dataclass(frozen=True)
class Worktree:
    """A commit laid out.

    Attributes:
        scratch: the folder that holds everything and disappears.
        project: the project's root in it (the repository's root, or the folder of the project below it).
        cache: the folder `files/md5` of DVC's cache for what the stages make.
    """

    scratch: Path
    project: Path
    cache: Path


def own_cache(project: Path, scratch: Path) -> Path:
    """Give a worktree a DVC cache that nobody shares. Remotes are asked through the clone, not from here.

    Returns:
        Its folder `files/md5`.
    """
    folder = project / ".dvc"
    cache = os.path.relpath(scratch / _CACHE, folder)  # DVC's settings hold ASCII only
    text = f'[core]\n    analytics = false\n[cache]\n    dir = {cache}\n    type = "reflink,copy"\n'
    (folder / "config.local").write_text(text, encoding="utf-8")
    return scratch / _CACHE / "files" / "md5"


@contextmanager
def laid_out(
    root: Path,
    commit: str,
    patch: str = "",
    keep: Path | None = None,
    *,
    folder: str = _REPRODUCE,
    tree: str = _TREE,
    configure: Callable[[Path, Path], Path] = own_cache,
) -> Iterator[Worktree]:
    """Check a commit out beside everything else, apply a patch, and remove it all afterwards.

    Args:
        root: the project in this clone.
        keep: a folder, empty or missing, that gets the worktree and is not removed.
        folder: of `.convoy`, for the scratch folders.
        tree: the worktree's place in a scratch folder.
        configure: is given the project in the worktree and the scratch folder; sets DVC up there and returns
            the cache's folder `files/md5`.

    Raises:
        IntegrityError: the patch does not apply, or the commit holds no DVC project.
        ResourceError: the commit is not to be had, or git failed.
    """
    prune(root, folder)
    ensure_commit(root, commit)
    below = git(root, "rev-parse", "--show-prefix").strip()
    with _scratch(root, keep, folder) as scratch:
        place = scratch / tree
        try:
            # no hooks: one of DVC's own would check the data out
            git(root, "-c", f"core.hooksPath={os.devnull}",
                "worktree", "add", "--quiet", "--detach", "--force", str(place), commit)  # fmt: skip
            if patch:
                _apply(place, patch)
            project = place / below
            if not (project / ".dvc").is_dir():
                raise IntegrityError(
                    "the commit holds no DVC project", where=str(project), fix="`dvc init`, commit"
                )
            yield Worktree(scratch, project, configure(project, scratch))
        finally:
            end_processes(scratch)
            if keep is None:
                _remove(root, place)


@contextmanager
def own_state(tree: Worktree) -> Iterator[None]:
    """What DVC keeps of the worktree in its site folder goes with it."""
    before = os.environ.get(SITE)
    os.environ[SITE] = str(tree.scratch / "state")
    try:
        yield
    finally:
        os.environ.pop(SITE)
        if before is not None:
            os.environ[SITE] = before


def ensure_commit(root: Path, commit: str) -> None:
    """Make sure that the clone has a commit; its remotes are asked for it.

    Raises:
        ResourceError: nobody has it.
    """
    if has_commit(root, commit):
        return
    for remote in git(root, "remote", check=False).split():
        git(root, "fetch", "--quiet", remote, check=False)
        if not has_commit(root, commit):
            git(root, "fetch", "--quiet", remote, commit, check=False)
        if has_commit(root, commit):
            return
    raise ResourceError(
        f"this clone has no commit {commit[:12]}, and its remotes do not give it",
        where=str(root),
        fix="`git fetch` from the clone that registered the model, or push the commit there",
    )


def prune(root: Path, folder: str = _REPRODUCE) -> None:
    """Remove what killed calls left in a folder of `.convoy`."""
    place = state_dir(root) / folder
    names = {path.name.removesuffix(_LOCK) for path in place.iterdir()} if place.is_dir() else set()
    for name in sorted(names):
        lock = place / f"{name}{_LOCK}"
        with only_one(lock) as mine:
            if mine:  # else of a call that runs
                end_processes(place / name)
                shutil.rmtree(place / name, ignore_errors=True)
                lock.unlink(missing_ok=True)
    git(root, "worktree", "prune", check=False)


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
def _scratch(root: Path, keep: Path | None, folder: str) -> Iterator[Path]:
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise ResourceError(
                "the folder is not empty", where=str(keep), fix="name one that is, or a new one"
            )
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    place = state_dir(root) / folder
    place.mkdir(parents=True, exist_ok=True)
    name = f"run-{os.getpid()}-{secrets.token_hex(4)}"
    with FileLock(place / f"{name}{_LOCK}") as lock:
        scratch = place / name
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)


def _apply(tree: Path, patch: str) -> None:
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"],
        cwd=tree, input=patch.encode("utf-8"), capture_output=True, check=False, timeout=_GIT_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise IntegrityError(
            f"the changes that were logged with the model do not apply: {last_line(done.stderr)}",
            where=str(tree),
            fix="register the model from a committed tree",
        )


def _remove(root: Path, tree: Path) -> None:
    git(root, "worktree", "remove", "--force", str(tree), check=False)
    shutil.rmtree(tree, ignore_errors=True)
    git(root, "worktree", "prune", check=False)
