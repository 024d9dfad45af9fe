"""A copy of this project as it is now, for benchmarks that run it as a user does."""

import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def copy(root: Path, *, own_data: bool) -> None:
    """What git would commit now.

    Args:
        own_data: with data/raw and dvc.lock; no: the benchmark brings data of its own.
    """
    listed = git(PROJECT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        wanted = own_data or not (name.startswith("data/raw/") or name == "dvc.lock")
        if wanted and (PROJECT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, root / name)


def commit(root: Path) -> None:
    """All that lies in the copy, as the first commit of a repository of its own."""
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    git(root, *who, "commit", "--quiet", "-m", "copy")
