"""Git commands in a clone, with the errors of convoy."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from convoy.errors import ResourceError

_SECONDS = 120


def git(folder: Path, *arguments: str, check: bool = True, variables: Mapping[str, str] | None = None) -> str:
    """Output of a git command; empty where it failed and `check` is off.

    Args:
        variables: of the environment, beside this process's own.

    Raises:
        ResourceError: it failed.
    """
    own = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", **(variables or {})}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, check=False, timeout=_SECONDS,
            stdin=subprocess.DEVNULL, env={**os.environ, **own},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        if not check:
            return ""
        raise ResourceError(f"git failed: {error}", where=str(folder), fix="install git") from error
    if done.returncode and check:
        raise ResourceError(
            f"`git {_command(arguments)}` failed: {last_line(done.stderr)}",
            where=str(folder),
            fix="run it by hand to see why",
        )
    return done.stdout.decode("utf-8", "replace") if not done.returncode else ""


def has_commit(folder: Path, commit: str) -> bool:
    return git(folder, "cat-file", "-t", commit, check=False) == "commit\n"


def last_line(stderr: bytes) -> str:
    """Where git says what went wrong."""
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "no message"


def _command(arguments: tuple[str, ...]) -> str:
    """The first words of a command, without settings given in front of it."""
    words = list(arguments)
    while words[:1] == ["-c"]:
        words = words[2:]
    return " ".join(words[:2])
