"""The git and DVC repositories of a new project."""

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from convoy.errors import ResourceError
from convoy.io import write_text

_GIT_SECONDS = 300
_NOBODY = ("convoy", "convoy@localhost")


def has_git() -> bool:
    return shutil.which("git") is not None


def repository(folder: Path) -> Path | None:
    """The root of the git repository around a folder; None where there is none."""
    if not has_git():
        return None
    found = _git(folder, "rev-parse", "--show-toplevel", check=False).strip()
    return Path(found) if found else None


def init_git(folder: Path) -> None:
    """Raises:
    ResourceError: git failed.
    """
    _git(folder, "init", "--quiet")


def init_dvc(folder: Path, config: str) -> None:
    """A DVC repository in a folder: under git if the folder is, else without.

    Args:
        config: text of .dvc/config.

    Raises:
        ResourceError: DVC failed.
    """
    if (folder / ".dvc").exists():
        return
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    around = repository(folder)
    try:
        with _quietly():
            Repo.init(str(folder), no_scm=around is None, subdir=around not in (None, folder)).close()
    except DvcException as error:
        raise ResourceError(f"DVC failed: {error}", where=str(folder), fix="run `dvc init` there") from None
    if around is None:
        config = config.replace("[core]", "[core]\n    no_scm = true", 1)
    write_text(folder / ".dvc" / "config", config)


def track(folder: Path, path: str) -> list[Path]:
    """`dvc add`: the data into DVC's cache, their digest into a .dvc file.

    Returns:
        What git is to know: the .dvc file and the .gitignore beside it.

    Raises:
        ResourceError: DVC failed.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with _quietly(), Repo(str(folder)) as repo:
            repo.add([str(folder / path)])
    except (DvcException, OSError) as error:
        raise ResourceError(
            f"DVC cannot take the data: {error}", where=path, fix="run `dvc add` on them by hand to see why"
        ) from None
    pin = folder / f"{path}.dvc"
    return [file for file in (pin, pin.with_name(".gitignore")) if file.is_file()]


def commit(folder: Path, files: Sequence[Path], message: str) -> str:
    """Commit these files.

    Returns:
        What the user should know: that git knows no name of theirs; else empty.

    Raises:
        ResourceError: git failed.
    """
    known = bool(_git(folder, "config", "user.email", check=False).strip())
    name, mail = _NOBODY
    identity = () if known else ("-c", f"user.name={name}", "-c", f"user.email={mail}")
    _git(folder, "add", "--", *(str(file.relative_to(folder)) for file in files))
    _git(folder, *identity, "commit", "--quiet", "--message", message)
    return "" if known else f"git knows no name of yours: the first commit is by {name} <{mail}>"


def changed(folder: Path, file: str) -> bool:
    """Whether git has another content of a file, or none."""
    if repository(folder) is None:
        return False
    return bool(_git(folder, "status", "--porcelain", "--", file).strip())


@contextmanager
def _quietly() -> Iterator[None]:
    """DVC's advice for a person at a terminal goes to standard output, where JSON may be wanted."""
    logger = logging.getLogger("dvc")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _git(folder: Path, *arguments: str, check: bool = True) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, check=False, timeout=_GIT_SECONDS,
            stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ResourceError(
            f"git failed: {error}", where=str(folder), fix="install git, or --no-git"
        ) from None
    if done.returncode and check:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ResourceError(
            f"`git {' '.join(arguments[:2])}` failed: {lines[-1] if lines else 'no message'}",
            where=str(folder),
            fix="mend it, or --no-git",
        )
    return done.stdout.decode("utf-8", "replace") if not done.returncode else ""
