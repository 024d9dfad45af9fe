"""Where something was made: the commit, the environment, the machine.

Collected when a run is opened and when a model is registered. It never enters the bundle
(docs/decisions/0003): equal training gives equal bundles on any machine and any commit.
"""

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from convoy.io import sha256_file

ENVIRONMENT_LOCK = Path("requirements.lock")
DVC_LOCK = Path("dvc.lock")
UNTRACKED = "untracked: "  # begins a line of a diff that names a file git does not know

_OWN_OUTPUTS = (":(exclude,top,glob)**/dvc.lock",)  # written by the run itself, so never dirt
_TIMEOUT_S = 30


@dataclass(frozen=True)
class GitState:
    """State of the work tree below a folder.

    `problem` is empty, or says why nothing else is known ("git is not installed", "not a git repository",
    "no commit yet"). A tree with a problem counts as dirty: what it holds cannot be proven.
    """

    commit: str | None = None
    branch: str | None = None
    dirty: bool = True
    changed: tuple[str, ...] = ()  # paths that differ from the commit, or that git does not know
    diff: str = ""
    problem: str = ""


def git_state(root: Path) -> GitState:
    """Commit, branch and uncommitted changes. dvc.lock and ignored files do not count as changes."""
    if shutil.which("git") is None:
        return GitState(problem="git is not installed")
    inside = _git(root, "rev-parse", "--is-inside-work-tree")
    if inside is None:
        return GitState(problem="not a git repository, or one that git does not trust")
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return GitState(problem="no commit yet")
    scope = ("--", ".", *_OWN_OUTPUTS)
    changes = _git(root, "status", "--porcelain=v1", "-z", "--untracked-files=normal", *scope)
    if changes is None:
        return GitState(commit=commit.strip(), problem="git status failed")
    tracked = _git(root, "diff", "--no-ext-diff", "--no-color", "--binary", "HEAD", *scope) or ""
    entries = [entry for entry in changes.split("\0") if entry[2:3] == " "]
    untracked = [entry[3:] for entry in entries if entry.startswith("?? ")]
    return GitState(
        commit=commit.strip(),
        branch=(_git(root, "branch", "--show-current") or "").strip() or None,
        dirty=bool(changes),
        changed=tuple(entry[3:] for entry in entries),
        diff=tracked + "".join(f"{UNTRACKED}{path}\n" for path in untracked),
    )


def hardware() -> dict[str, Any]:
    """{"cpu", "cores", "memory_gib", "gpus"}; `cores` are those this process may use."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "gpus": _gpu_names(),
    }


def versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that decide the numbers; nothing is imported for it."""
    packages = ("torch", "pytorch-lightning", "numpy", "onnxruntime", "mlflow", "dvc")
    return {"python": platform.python_version(), **{name: _version(name) for name in packages}}


def file_digest(path: Path) -> str | None:
    """sha256 of a file, or None where there is none."""
    return sha256_file(path) if path.is_file() else None


def dvc_digest(root: Path, path: str) -> str | None:
    """DVC's digest of a tracked file or folder (`….dir`), of its .dvc file or of dvc.lock, or None."""
    return pinned_digest(root, path) or locked_digest(root, path)


def pinned_digest(root: Path, path: str) -> str | None:
    """What a .dvc file says."""
    for out in read_yaml(root / f"{path}.dvc").get("outs", []):
        if PurePosixPath(path).name == out.get("path") and out.get("md5"):
            return str(out["md5"])
    return None


def locked_digest(root: Path, path: str) -> str | None:
    """What the first stage in dvc.lock that read or wrote it found."""
    for stage in read_yaml(root / DVC_LOCK).get("stages", {}).values():
        for entry in (*stage.get("deps", []), *stage.get("outs", [])):
            if PurePosixPath(entry.get("path", "")) == PurePosixPath(path) and entry.get("md5"):
                return str(entry["md5"])
    return None


def collect(root: Path) -> dict[str, Any]:
    """All of it, JSON-able: {"git", "dvc_lock", "dvc_lock_text", "environment_lock", "hardware", "versions"}.

    The text of dvc.lock goes along, because the commit holds that of an earlier run: a run changes it.
    """
    git = git_state(root)
    return {
        "git": {
            "commit": git.commit,
            "branch": git.branch,
            "dirty": git.dirty,
            "changed": list(git.changed),
            "problem": git.problem,
            "diff": git.diff,
        },
        "dvc_lock": file_digest(root / DVC_LOCK),
        "dvc_lock_text": _text(root / DVC_LOCK),
        "environment_lock": file_digest(root / ENVIRONMENT_LOCK),
        "hardware": hardware(),
        "versions": versions(),
    }


def tags(collected: dict[str, Any]) -> dict[str, str]:
    """The same as flat tags `convoy.…` for MLflow; unknown fields say "unknown"."""
    git, machine, installed = collected["git"], collected["hardware"], collected["versions"]
    values = {
        "commit": git["commit"] or git["problem"],
        "branch": git["branch"],
        "dirty": str(git["dirty"]).lower(),
        "dvc_lock": collected["dvc_lock"],
        "environment_lock": collected["environment_lock"],
        "cpu": machine["cpu"],
        "cores": machine["cores"],
        "memory_gib": machine["memory_gib"],
        "gpus": ", ".join(machine["gpus"]) or "none",
        "python": installed["python"],
        "torch": installed["torch"],
    }
    return {f"convoy.{name}": str(value) if value else "unknown" for name, value in values.items()}


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping; empty where the file is missing or is none."""
    return parse_yaml(_text(path) or "")


def parse_yaml(text: str) -> dict[str, Any]:
    """A YAML mapping; empty where the text is none. Tags make no objects."""
    try:
        value = YAML(typ="safe").load(text)
    except YAMLError:
        return {}
    return value if isinstance(value, dict) else {}


def _git(root: Path, *arguments: str) -> str | None:
    """Output of a git command, or None where it failed."""
    try:
        done = subprocess.run(
            ["git", "-c", "core.quotepath=off", *arguments],
            cwd=root,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _gpu_names() -> list[str]:
    """Names of the NVIDIA devices, from nvidia-smi (torch is too slow to import for a name)."""
    if shutil.which("nvidia-smi") is None:
        return []
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []
