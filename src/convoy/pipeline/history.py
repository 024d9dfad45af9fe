"""What the runs of a project did, one small file each: `.convoy/history/<id>.jsonl`, in order.

Written by `convoy run` and by the flow below it, which finds the file by CONVOY_RUN; read by
`convoy explain`. A run that cannot write it (a full disk) goes on. Events, each with its time `t` (seconds
since the epoch):

    run        command, user, the process
    flow       the process, name and id of the flow run, its server
    stage      stage, attempt
    stage end  stage, ran, and an Ending
    end        an Ending
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from convoy.environment import state_dir
from convoy.owners import Owner
from convoy.pipeline.causes import Ending
from convoy.registry.runs import user
from convoy.training import journal

RUN = "CONVOY_RUN"  # the id of the run that this process belongs to
_KEPT = 500
_ENDING = tuple(field.name for field in fields(Ending))


@dataclass(frozen=True)
class Record:
    """One run's file; `add` never fails."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.stem

    def add(self, event: str, **fields: Any) -> None:
        with suppress(OSError):
            journal.Journal(self.path).append(event, **fields)

    def end(self, ending: Ending) -> None:
        self.add("end", **asdict(ending))

    def events(self) -> list[journal.Event]:
        return list(journal.read(self.path))


def begin(root: Path, command: str) -> Record:
    """A new record; this process's children belong to it."""
    folder = state_dir(root) / "history"
    moment = time.time()
    name = f"{time.strftime('%Y%m%d-%H%M%S', time.localtime(moment))}-{os.getpid()}"
    record = Record(folder / f"{name}.jsonl")
    os.environ[RUN] = name
    for old in records(root)[:-_KEPT]:
        old.path.unlink(missing_ok=True)
    record.add("run", command=command, user=user(), **Owner.of().record())
    return record


def current(root: Path, command: str) -> Record:
    """The record that this process belongs to, or a new one."""
    given = state_dir(root) / "history" / f"{os.environ.get(RUN) or '-'}.jsonl"
    return Record(given) if given.is_file() else begin(root, command)


def records(root: Path) -> list[Record]:
    """All, what was written last at the end (by the file system, whatever a run's clock said)."""
    paths = (state_dir(root) / "history").glob("*.jsonl")
    return [Record(path) for path in sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name))]


def ending(event: Mapping[str, Any]) -> Ending:
    """The Ending that an event tells of."""
    told = {name: event[name] for name in _ENDING if name in event}
    return Ending(**{**told, "tail": tuple(told.get("tail", ()))})
