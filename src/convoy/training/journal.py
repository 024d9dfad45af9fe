"""The journal of a training: an append-only file of what happened, one JSON object a line.

The live journal lies in `.convoy/runs/<key>/journal.jsonl` and carries wall-clock times (`t`, seconds since
the epoch). The stage's output is the same without times, so equal trainings give equal bytes. MLflow is a
mirror of it. Events:

    start    key, name, params (flat), datasets
    metrics  step (the epoch, from 0), values
    end      status (FINISHED, FAILED, KILLED), reason
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from convoy.io import write_text

Event = dict[str, Any]

EPOCH_SECONDS = "epoch_seconds"  # metrics of the live journal alone
IMAGES_PER_SECOND = "images_per_second"
_CLOCKED = (EPOCH_SECONDS, IMAGES_PER_SECOND)


class Journal:
    """Appends events; each is on disk before `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def append(self, event: str, **fields: Any) -> None:
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(dump([{"t": time.time(), "event": event, **fields}]))
            handle.flush()
            os.fsync(handle.fileno())

    def events(self) -> list[Event]:
        return list(read(self.path))

    def keep(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Replace the content, as a resumed training does with the epochs that its checkpoint lacks."""
        write_text(self.path, dump(events))


def dump(events: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(dict(e), sort_keys=True, ensure_ascii=False) + "\n" for e in events)


def read(path: Path) -> Iterator[Event]:
    """Events of a journal; a last line that a crash cut short is left out."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as handle:
        for line in handle:
            if not line.endswith("\n"):
                return
            yield json.loads(line)


def without_times(events: Iterable[Event]) -> list[Event]:
    """The events without what the clock wrote: equal trainings give equal lists."""
    bare = []
    for event in events:
        kept = {name: value for name, value in event.items() if name != "t"}
        if "values" in kept:
            kept["values"] = {n: v for n, v in kept["values"].items() if n not in _CLOCKED}
        bare.append(kept)
    return bare
