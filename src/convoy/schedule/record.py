"""What the last run of a schedule was made of, in `.convoy/schedules/NAME`: last.json, and its dvc.lock.

dvc.lock is an output: laid over the commit of the next run, it lets DVC skip what has not changed even
where nobody commits it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from convoy import provenance
from convoy.environment import state_dir
from convoy.io import read_json, write_bytes, write_json

_LAST = "last.json"


@dataclass(frozen=True)
class Last:
    """The last run that came to its end, refused by the gate or not.

    Attributes:
        base: the commit that the ref named.
        commit: what was trained: `base`, or a commit of new data on top of it.
        data: path -> DVC's digest.
        listing: digest of the watched folder's listing; empty without one.
        committed_lock: digest of the dvc.lock in `base`; None where it has none.
        checked: digest of the parameters that were found to be right before the stages ran.
        when: the end, ISO 8601 with the offset.
        said: the result in words.
    """

    base: str
    commit: str
    data: Mapping[str, str]
    listing: str
    committed_lock: str | None
    checked: str
    when: str
    said: str


def read(root: Path, schedule: str) -> Last | None:
    """None where there was no run, or the record is of another convoy."""
    try:
        return Last(**read_json(folder(root, schedule) / _LAST))
    except (OSError, ValueError, TypeError):
        return None


def write(root: Path, schedule: str, last: Last, project: Path) -> None:
    """Record a run.

    Args:
        project: in the worktree, whose dvc.lock is kept.
    """
    place = folder(root, schedule)
    lock = project / provenance.DVC_LOCK
    if lock.is_file():
        write_bytes(place / provenance.DVC_LOCK, lock.read_bytes())
    write_json(place / _LAST, asdict(last))


def lay_lock(root: Path, schedule: str, last: Last | None, project: Path) -> str | None:
    """Put the last run's dvc.lock into a worktree, unless the commit has one that is newer.

    Returns:
        The digest of the commit's.
    """
    target = project / provenance.DVC_LOCK
    committed = provenance.file_digest(target)
    kept = folder(root, schedule) / provenance.DVC_LOCK
    if last is not None and last.committed_lock == committed and kept.is_file():
        write_bytes(target, kept.read_bytes())
    return committed


def forget(root: Path, schedule: str) -> None:
    for name in (_LAST, provenance.DVC_LOCK.as_posix()):
        (folder(root, schedule) / name).unlink(missing_ok=True)


def folder(root: Path, schedule: str) -> Path:
    """Where everything about a schedule lies."""
    return state_dir(root) / "schedules" / schedule
