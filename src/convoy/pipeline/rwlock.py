"""DVC's own locks: who holds files in a project, and what dead processes left.

.dvc/tmp/rwlock is JSON, path -> {"pid", "cmd"} for each file that a DVC command reads or writes. DVC drops
entries of processes that are gone where they are in its way, but is blocked by a number that was given out
again and by a file that was cut. .dvc/tmp/lock is a flock that frees itself; with `core.hardlink_lock` it is
a claim file that stays, for a year.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from convoy.io import read_json, write_text
from convoy.pipeline import dvc_command

_TEMPORARY = Path(".dvc", "tmp")


def commands(root: Path) -> dict[int, str]:
    """Process -> command of the entries; empty where nothing is held.

    Raises:
        ValueError: the file is damaged.
    """
    path = root / _TEMPORARY / "rwlock"
    if not path.is_file():
        return {}
    return {int(entry["pid"]): str(entry["cmd"]) for _, entry in _entries(read_json(path))}


def repair(root: Path, *, act: bool = True) -> list[str]:
    """Remove entries of processes that are gone and what was cut, if `act`; what was found, in words.

    Nothing is touched while a DVC command that may have written it is alive.
    """
    path = root / _TEMPORARY / "rwlock"
    try:
        found = commands(root)
    except (ValueError, KeyError, TypeError, AttributeError):
        return _mend(root, path, act)
    dead = {pid: command for pid, command in found.items() if _dead(pid, path)}
    if not dead:
        return []
    if act:
        with _guarded(root) as free:
            if not free:
                return []
            content = read_json(path)
            for part in ("read", "write"):
                kept = {name: _living(held, dead) for name, held in content.get(part, {}).items()}
                content[part] = {name: held for name, held in kept.items() if held}
            write_text(path, json.dumps(content))
    return [f"DVC's lock of `{command}` (process {pid}, which is gone)" for pid, command in dead.items()]


def claimed(root: Path) -> Path | None:
    """The claim file that a DVC command with `core.hardlink_lock` holds or left, where none is alive here.

    It does not say whose it is, and hosts may share it: a person has to decide.
    """
    path = root / _TEMPORARY / "lock"
    try:
        claim = path.read_text(encoding="utf-8").startswith("/")  # zc.lockfile writes a number
    except (OSError, ValueError):
        return None
    return path if claim and not _dvc_commands(root) else None


def _mend(root: Path, path: Path, act: bool) -> list[str]:
    if _dvc_commands(root):
        return []
    if act:
        with _guarded(root) as free:
            if not free:
                return []
            path.unlink(missing_ok=True)
    return ["DVC's list of locked files, which was damaged; no DVC command runs"]


def _entries(content: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in content.get("write", {}).items():
        yield name, entry
    for name, entries in content.get("read", {}).items():
        for entry in entries:
            yield name, entry


def _living(held: Any, dead: dict[int, str]) -> Any:
    if isinstance(held, list):
        return [entry for entry in held if entry["pid"] not in dead]
    return None if held["pid"] in dead else held


def _dead(pid: int, path: Path) -> bool:
    """No such process; or it began after the last entry was written and is no DVC command."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return process.create_time() > path.stat().st_mtime and not _is_dvc(process)
    except psutil.NoSuchProcess:
        return True
    except (psutil.AccessDenied, OSError):
        return False


def _dvc_commands(root: Path) -> list[int]:
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if _is_dvc(process) and Path(process.cwd()).is_relative_to(root.resolve()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def _is_dvc(process: Any) -> bool:
    named = any(part.endswith(("dvc", "dvc/__main__.py")) for part in process.cmdline()[:5])
    return named or process.name() == dvc_command.NAME


@contextmanager
def _guarded(root: Path) -> Iterator[bool]:
    """DVC's own guard of the file, held; False where a DVC command has it."""
    from dvc.lock import LockError, make_lock

    folder = root / _TEMPORARY
    guard = make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder))
    try:
        guard.lock()
    except LockError:
        yield False
        return
    try:
        yield True
    finally:
        guard.unlock()
