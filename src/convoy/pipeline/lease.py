"""Leases: one pipeline run at a time in a project, one training at a time on a GPU.

A lease is a lock of the operating system (flock) on a file, which a crash releases. Beside it lies a note
that says whose it is; only the lock decides. What the holder starts has the lease, too: the variable
CONVOY_LEASE names it, and processes that are given `descriptors()` keep it until the last of them has ended,
so that nobody begins beside what a killed run left.

`dvc repro` by hand takes no lease; DVC has its own locks. `beside` notes it down, so that a run waits for it,
and refuses its stages where a run has the lease: waiting there would hold files that the run needs.

    .convoy/leases/project.lock, project.json       the run
    .convoy/leases/dvc-4711.json                    a `dvc repro` by hand
    .convoy/leases/project.gate                     locked for a moment by whoever looks or writes
"""

import fcntl
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from convoy.environment import state_dir
from convoy.errors import ResourceError
from convoy.owners import Owner
from convoy.pipeline import flock, holder
from convoy.pipeline.holder import Holder

INHERITED = "CONVOY_LEASE"  # `token@descriptor` of each lease of the processes above this one
DEVICE_FOLDER = "CONVOY_DEVICE_LEASES"  # where this user's GPUs are leased; default: below ~/.cache
_POLL_SECONDS = 0.25
_PROJECT = "project"

Say = Callable[[str], None]

_held: dict[Path, int] = {}  # lock file -> this process's descriptor of it


def _silent(_line: str) -> None:
    pass


def project(root: Path, what: str, *, wait: bool = True, say: Say = _silent) -> AbstractContextManager[None]:
    """Have a project to oneself; all that share its `.convoy` (git worktrees, say) are one project.

    Args:
        what: the command, for those who wait.
        wait: for whoever has it; False: raise.
        say: told for whom this waits, once for each.

    Raises (on entering):
        ResourceError: somebody has it, and `wait` is False; or there can be no lock.
    """
    return _leased(_folder(root), _PROJECT, what, wait, say)


def device(
    index: int | str, what: str, *, wait: bool = True, say: Say = _silent
) -> AbstractContextManager[None]:
    """Have a GPU to oneself, among all projects of this user on this machine.

    Args:
        index: the driver's number or identity of it, whatever CUDA_VISIBLE_DEVICES makes of that.

    Raises (on entering):
        ResourceError: as `project`.
    """
    return _leased(_devices(), f"device {index}", what, wait, say)


def beside(root: Path, pid: int, what: str) -> None:
    """Note that process `pid` works here under DVC's locks alone; runs wait until it has ended.

    Nothing is done below a process that has the lease.

    Raises:
        ResourceError: a run has the lease.
    """
    folder = _folder(root)
    lock = _lock(folder, _PROJECT)
    with _gate(lock):
        if lock in _held or _inherited(lock) is not None:
            return
        if flock.taken(lock):
            raise _busy(_note(lock), _PROJECT)
        holder.write(folder / f"dvc-{pid}.json", "dvc", Owner.of(pid), what)


def holders(root: Path) -> list[Holder]:
    """Who has the project and this machine's GPUs, and what works here beside the lease."""
    found = []
    for folder in (_folder(root), _devices()):
        for lock in sorted(folder.glob("*.lock")):
            with _gate(lock):
                found.append(_note(lock) if flock.taken(lock) else None)
    found += [holder.read(note) for note in _notes(_folder(root))]
    return [each for each in found if each and (each.lease != "dvc" or not each.owner.gone)]


def clear(root: Path, *, act: bool = True) -> list[Holder]:
    """Remove the notes of processes that are gone, if `act`; whose they were. Locks free themselves."""
    folder = _folder(root)
    if not folder.is_dir():
        return []
    lock = _lock(folder, _PROJECT)
    gone = []
    with _gate(lock):
        notes = _notes(folder) if flock.taken(lock) else [*_notes(folder), lock.with_suffix(".json")]
        for note in notes:
            found = holder.read(note)
            if found and found.owner.gone:
                gone.append(found)
                if act:
                    note.unlink(missing_ok=True)
    return gone


def descriptors() -> tuple[int, ...]:
    """What a child process is given (`pass_fds`) that shall keep this process's leases while it runs."""
    return tuple(_held.values())


@contextmanager
def _leased(folder: Path, lease: str, what: str, wait: bool, say: Say) -> Iterator[None]:
    lock = _lock(folder, lease)
    if lock in _held:
        yield
        return
    with _gate(lock):
        above = _inherited(lock)
    if above is not None:
        if above >= 0:
            _held[lock] = above
        try:
            yield  # the note stays the holder's
        finally:
            if _held.pop(lock, -1) >= 0:
                os.close(above)
        return
    before, token = os.environ.get(INHERITED, ""), secrets.token_hex(8)
    descriptor = _acquire(lock, lease, what, token, wait, say)
    _held[lock] = descriptor
    os.environ[INHERITED] = f"{before} {token}@{descriptor}".strip()
    try:
        yield
    finally:
        _held.pop(lock)
        os.environ[INHERITED] = before
        with suppress(OSError):
            lock.with_suffix(".json").unlink(missing_ok=True)
        os.close(descriptor)  # and not unlocked: a child may have it still


def _acquire(lock: Path, lease: str, what: str, token: str, wait: bool, say: Say) -> int:
    """The descriptor of the locked file, as soon as nobody is in the way."""
    told = ""
    while True:
        with _gate(lock):
            other = _beside(lock)
            descriptor = None if other else flock.take(lock)
            if descriptor is not None:
                try:
                    holder.write(lock.with_suffix(".json"), lease, Owner.of(), what, token)
                except BaseException:
                    os.close(descriptor)
                    raise
                return descriptor
            other = other or _note(lock)
        if not wait:
            raise _busy(other, lease)
        line = f"waiting for {other or f'whoever has the {lease}'}"
        if line != told:
            say(line)
            told = line
        time.sleep(_POLL_SECONDS)


def _beside(lock: Path) -> Holder | None:
    """A `dvc repro` by hand that is in a run's way; notes of those that have ended are removed."""
    for note in _notes(lock.parent) if lock.stem == _PROJECT else []:
        found = holder.read(note)
        if found and not found.owner.gone:
            return found
        note.unlink(missing_ok=True)
    return None


def _busy(other: Holder | None, lease: str) -> ResourceError:
    return ResourceError(
        f"the {lease} is taken by {other or 'another process'}",
        fix="wait until it has ended, or end it; `convoy run` without --no-wait waits by itself",
    )


def _inherited(lock: Path) -> int | None:
    """Its descriptor, where a process above this one has the lease; -1 where it gave none; else None."""
    tokens = dict(entry.partition("@")[::2] for entry in os.environ.get(INHERITED, "").split())
    note = _note(lock)
    if note is None or note.token not in tokens or not flock.taken(lock):
        return None
    descriptor = tokens[note.token]
    if descriptor.isdecimal() and flock.same(int(descriptor), lock):
        os.set_inheritable(int(descriptor), False)
        return int(descriptor)
    return -1


@contextmanager
def _gate(lock: Path) -> Iterator[None]:
    """Whoever looks at a lock or takes it does so alone: a look is never taken for a holder."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock.with_suffix(".gate"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _folder(root: Path) -> Path:
    return state_dir(root).resolve() / "leases"


def _devices() -> Path:
    given = os.environ.get(DEVICE_FOLDER)
    if given:
        return Path(given)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "convoy" / "leases" / socket.gethostname()  # a home may be shared by machines


def _lock(folder: Path, lease: str) -> Path:
    return folder / f"{lease.replace(' ', '-')}.lock"


def _note(lock: Path) -> Holder | None:
    return holder.read(lock.with_suffix(".json"))


def _notes(folder: Path) -> list[Path]:
    return sorted(folder.glob("dvc-*.json"))
