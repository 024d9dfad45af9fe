"""What of this machine and its packages differs from what a version was made with."""

import os
from importlib import metadata
from pathlib import Path

from convoy import provenance
from convoy.errors import IntegrityError
from convoy.proof import pins
from convoy.proof.origin import Origin

_SHOWN = 6


def differences(origin: Origin, project: Path) -> list[str]:
    """Each in words, with both values; empty where nothing differs. Then whose code will run, where it is not
    the commit's own.

    Args:
        project: the worktree of the version's commit, with its requirements.lock.

    Raises:
        IntegrityError: the commit holds no code, and the installed convoy is not the one that it pins.
    """
    made = origin.info["provenance"]
    here, machine = provenance.versions(), provenance.hardware()
    found = [_lock(project, made.get("environment_lock")), *_packages(project / provenance.ENVIRONMENT_LOCK)]
    for label, before, now in (
        ("Python", origin.tags.get("convoy.python"), here["python"]),
        ("torch", made.get("torch"), here["torch"]),
        ("processor", origin.tags.get("convoy.cpu"), machine["cpu"]),
        ("GPUs", origin.tags.get("convoy.gpus"), ", ".join(machine["gpus"]) or "none"),
    ):
        if before and now and not _alike(str(before), str(now)):
            found.append(f"{label}: made with {before}, here {now}")
    cores, now = cores_of(origin), available_cores()
    if cores > now:
        found.append(
            f"threads: made with {cores}, this machine lets {now} be used: "
            "sums are rounded in another order, so weights or answers will differ in their last bits"
        )
    found.append(_code(origin, project))
    return [text for text in found if text]


def cores_of(origin: Origin) -> int:
    """How many cores the run had: the threads of its training where it took them all; 0 where unknown."""
    made = origin.info["provenance"]
    if origin.info.get("params", {}).get("train", {}).get("threads") == "auto":
        return int(made.get("threads") or 0)
    cores = origin.tags.get("convoy.cores", "")
    return int(cores) if cores.isdigit() else int(made.get("threads") or 0)


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _code(origin: Origin, project: Path) -> str:
    """Of a project without code of its own: only the convoy that made the version can run its stages."""
    if not pins.read(project):
        return ""
    other = pins.differences(project)
    if other:
        files = sorted({name for names in other.values() for name in names})
        raise IntegrityError(
            f"environment differs: the installed convoy is not the one that made {origin.name} version "
            f"{origin.version}. Stages {', '.join(other)}: {pins.told(files)}",
            where=f"{pins.FOLDER.as_posix()}/ of commit {origin.commit[:12]}",
            fix="install the convoy that made it into an environment of its own, and reproduce there",
        )
    return f"the installed convoy runs the stages: it is what {pins.FOLDER.as_posix()}/ of the commit pins"


def _lock(project: Path, recorded: str | None) -> str:
    now = provenance.file_digest(project / provenance.ENVIRONMENT_LOCK)
    if now == recorded:
        return ""
    before, after = (recorded or "none")[:12], (now or "none")[:12]
    return f"requirements.lock: the version names {before}, its commit holds {after}"


def _packages(lock: Path) -> list[str]:
    """Packages of the lock file that are installed in another version, or not at all."""
    if not lock.is_file():
        return []
    pins = [pin for line in lock.read_text("utf-8").splitlines() if (pin := _pin(line)) is not None]
    wrong = []
    for name, wanted in pins:
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            installed = "not installed"
        if not _alike(wanted, installed):
            wrong.append(f"{name} {wanted} (here: {installed})")
    if not wrong:
        return []
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    shown = ", ".join(wrong[:_SHOWN])
    return [f"packages: {len(wrong)} of {len(pins)} differ from requirements.lock: {shown}{more}"]


def _pin(line: str) -> tuple[str, str] | None:
    """Name and version of a line `name==version` that concerns this platform."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        found = Requirement(line.partition("#")[0].strip())
    except InvalidRequirement:
        return None
    exact = [part.version for part in found.specifier if part.operator == "=="]
    if not exact or (found.marker is not None and not found.marker.evaluate()):
        return None
    return found.name, exact[0]


def _alike(before: str, now: str) -> bool:
    """Whether two versions agree; a local part ("+cpu") that only one of them tells does not count."""
    one_tells = ("+" in before) != ("+" in now)
    return before == now or (one_tells and before.partition("+")[0] == now.partition("+")[0])
