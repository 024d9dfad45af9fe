"""DVC's records of the digests of data, dependencies and outputs: its .dvc files and dvc.lock."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convoy import provenance
from convoy.digests import NEVER

_ELSEWHERE = {*NEVER, ".venv", ".convoy", ".prefect", "node_modules"}  # where no .dvc file is looked for


@dataclass(frozen=True)
class Record:
    """One line of DVC's books.

    Attributes:
        path: posix, relative to the project.
        md5: DVC's digest; of a folder it ends in ".dir".
        book: the .dvc file, or "dvc.lock: STAGE".
        role: "data" (a .dvc file), "dep" or "out" (of a stage).
    """

    path: str
    md5: str
    book: str
    role: str

    @property
    def stage(self) -> str:
        return self.book.partition(": ")[2]


def data_records(root: Path) -> list[Record]:
    """What the .dvc files of a project track."""
    found = []
    for path in sorted(_dvc_files(root)):
        folder = path.parent.relative_to(root)
        for out in provenance.read_yaml(path).get("outs", []):
            if out.get("md5") and out.get("path"):
                where = (folder / out["path"]).as_posix()
                found.append(Record(where, str(out["md5"]), path.relative_to(root).as_posix(), "data"))
    return found


def lock_records(lock: Mapping[str, Any]) -> list[Record]:
    """What a parsed dvc.lock says of dependencies and outputs, stage after stage."""
    return [
        Record(
            str(entry["path"]), str(entry["md5"]), f"{provenance.DVC_LOCK}: {stage}", role.removesuffix("s")
        )
        for stage, record in lock.get("stages", {}).items()
        for role in ("deps", "outs")
        for entry in record.get(role, [])
        if entry.get("md5") and entry.get("path")
    ]


def inputs(records: Iterable[Record]) -> dict[str, str]:
    """Path -> digest of the dependencies that no stage makes."""
    known = list(records)
    made = [record.path for record in known if record.role == "out"]
    return {
        record.path: record.md5
        for record in known
        if record.role == "dep" and not any(covers(path, record.path) for path in made)
    }


def covers(folder: str, path: str) -> bool:
    """Whether a posix path is a folder or lies in it."""
    return path == folder or path.startswith(f"{folder}/")


def _dvc_files(root: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _ELSEWHERE]
        yield from (Path(parent) / name for name in names if name.endswith(".dvc"))
