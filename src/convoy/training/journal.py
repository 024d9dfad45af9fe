"""The journal of a training: an append-only file of what happened, one JSON object a line.

The live journal lies in `.convoy/runs/<key>/journal.jsonl` and carries wall-clock times (`t`, seconds since
the epoch). The stage's output is the same without times, so equal trainings give equal bytes. MLflow is a
mirror of it. Events:

    start    key, name, params (flat), datasets
    metrics  step (the epoch, from 0), values
    end      status (FINISHED, FAILED, KILLED), reason

What was appended has left the process: kill -9 takes none of it. That a power cut takes none either costs a
sync, many times the price of the append. The first and the last event are synced at once; those between are
synced by the thread that writes a checkpoint, before the checkpoint gets its name.

Who writes a journal holds a lock beside it, which the system releases with the process. So a journal that
has no end and whose lock is free was left by a process that was killed.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from convoy.io import write_text
from convoy.locking import only_one

Event = dict[str, Any]

NAME = "journal.jsonl"
GONE = "its process is gone and left no word"  # the reason of an end that others wrote
EPOCH_SECONDS = "epoch_seconds"  # metrics of the live journal alone
IMAGES_PER_SECOND = "images_per_second"
_CLOCKED = (EPOCH_SECONDS, IMAGES_PER_SECOND)
_WRITER = "writer.lock"
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class Journal:
    """Appends events; each is there whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def append(self, event: str, *, synced: bool = False, **fields: Any) -> Event:
        """Write one event, which is returned.

        Args:
            synced: it and all before it are on the disk when this returns.

        Raises:
            OSError: it could not be written; nothing of it is there.
        """
        made: Event = {"t": time.time(), "event": event, **fields}
        line = dump([made]).encode("utf-8")
        handle = os.open(self.path, _FLAGS, 0o644)
        try:
            _write_whole(handle, line)
            if synced:
                os.fsync(handle)
        finally:
            os.close(handle)
        return made

    def sync(self) -> None:
        """Wait until all that was appended is on the disk.

        Raises:
            OSError: the disk says that it is not.
        """
        handle = os.open(self.path, _FLAGS, 0o644)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def events(self) -> list[Event]:
        return list(read(self.path))

    def keep(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Replace the content, as a resumed training does with what its checkpoint does not know."""
        write_text(self.path, dump(events))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be its writer: as long as this lasts, nobody takes the training for killed."""
        with FileLock(self.path.with_name(_WRITER)):
            yield

    def written(self) -> bool:
        """Whether somebody who lives is its writer."""
        with only_one(self.path.with_name(_WRITER)) as mine:
            return not mine

    def close_abandoned(self) -> bool:
        """Write the end that a killed training could not write; whether there is an end now.

        False: the training goes on, or it never began. The end is dated by the last event, as nobody knows
        the hour of death.
        """
        with only_one(self.path.with_name(_WRITER)) as mine:
            events = self.events() if mine else []
            if not events or events[0]["event"] != "start":
                return False
            if events[-1]["event"] != "end":
                end = {"t": events[-1]["t"], "event": "end", "status": "KILLED", "reason": GONE}
                self.keep([*events, end])
            return True


def _write_whole(handle: int, line: bytes) -> None:
    """One write; of a line that the disk took a part of, that part is taken back."""
    size = os.fstat(handle).st_size
    written = 0
    try:
        while written < len(line):
            written += os.write(handle, line[written:])
    except OSError:
        if written:
            os.ftruncate(handle, size)
        raise


def dump(events: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(dict(e), sort_keys=True, ensure_ascii=False) + "\n" for e in events)


def read(path: Path) -> Iterator[Event]:
    """Events of a journal, up to the first line that a crash cut short or spoilt."""
    if not path.exists():
        return
    with path.open("rb") as handle:
        for line in handle:
            event = _event(line)
            if event is None:
                return
            yield event


def _event(line: bytes) -> Event | None:
    if not line.endswith(b"\n"):
        return None
    try:
        event = json.loads(line)
    except ValueError:  # of the encoding, too
        return None
    return event if isinstance(event, dict) and "event" in event else None


def without_times(events: Iterable[Event]) -> list[Event]:
    """The events without what the clock wrote: equal trainings give equal lists."""
    bare = []
    for event in events:
        kept = {name: value for name, value in event.items() if name != "t"}
        if "values" in kept:
            kept["values"] = {n: v for n, v in kept["values"].items() if n not in _CLOCKED}
        bare.append(kept)
    return bare
