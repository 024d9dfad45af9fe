"""DVC's command line as a run uses it: the same effects and the same dvc.lock, sooner.

    python -P dvc_command.py dvc ARGUMENTS…   `dvc ARGUMENTS…`

- Each dependency is hashed once where DVC would hash it again and again (`hashed_once`).
- Of dvc.lock only the stage that ran is written anew, in one step (`locked_in_place`).
- The process ends as soon as its work is done.

This file imports nothing of convoy: it also runs beside the code of an earlier commit.
"""

import atexit
import os
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

NAME = "dvc"  # of a process that runs it (`ps -o comm`), where its command line does not say so
_HEAD = "schema: '2.0'\nstages:\n"  # of dvc.lock
_STAGE = re.compile(r"^(?=  \S)", re.MULTILINE)


@contextmanager
def hashed_once() -> Iterator[Callable[[], None]]:
    """Inside, this process's DVC hashes no local dependency twice; call what is yielded to forget them all.

    DVC looks at a dependency ten times for one stage: has it changed, can the run cache be asked, what is its
    key, what goes into dvc.lock … Each time it walks the folder and asks its database about every file.
    Between two such moments nothing happens but DVC's own questions, so the first answer holds until the
    stage's command has run; what lies there afterwards is hashed again. Only answers about dependencies are
    kept: outputs are what DVC itself writes.

    `Dependency._build` and `run.cmd_run` are DVC's own but internal; nothing else in convoy touches them.
    """
    from dvc.dependency.base import Dependency
    from dvc.stage import run

    known: dict[tuple[Any, ...], Any] = {}
    build, command = Dependency._build, run.cmd_run

    def built(self: Any, odb: Any, path: str, fs: Any, name: str, **options: Any) -> Any:
        if type(self) is not Dependency or fs.protocol != "local":
            return build(self, odb, path, fs, name, **options)
        key = (id(self.repo), path, name, options.get("dry_run"))
        if key not in known:
            known[key] = build(self, odb, path, fs, name, **options)
        return known[key]

    def ran(*arguments: Any, **options: Any) -> Any:
        try:
            return command(*arguments, **options)
        finally:
            known.clear()

    Dependency._build, run.cmd_run = built, ran
    try:
        yield known.clear
    finally:
        Dependency._build, run.cmd_run = build, command


@contextmanager
def locked_in_place() -> Iterator[None]:
    """Inside, DVC writes the entry of a stage into dvc.lock and leaves the others' text as it is.

    DVC parses and writes the whole file anew, keeping comments, which takes half a second for the thousand
    files of eight stages, and writes over the file: a process killed there leaves half of it. Here the file
    is replaced in one step. Where it is not as DVC writes it, DVC's own way is taken.

    `Lockfile.dump_stages` is DVC's own but internal; nothing else in convoy touches it.
    """
    from dvc.dvcfile import Lockfile

    theirs = Lockfile.dump_stages

    def dump_stages(self: Any, stages: Any, **options: Any) -> None:
        if not _dump(self, stages, options):
            theirs(self, stages, **options)

    Lockfile.dump_stages = dump_stages
    try:
        yield
    finally:
        Lockfile.dump_stages = theirs


def _dump(lockfile: Any, stages: Any, options: Any) -> bool:
    """Whether it could be done."""
    from dvc.dvcfile import logger
    from dvc.stage import serialize
    from dvc.utils.serialize import dumps_yaml

    path = Path(lockfile.path)
    before = path.read_text(encoding="utf-8") if path.is_file() else _HEAD
    entries = _entries(before)
    scratch = Path(lockfile.repo.tmp_dir or "")
    if entries is None or not scratch.is_dir() or scratch.stat().st_dev != path.parent.stat().st_dev:
        return False
    for stage in stages:
        rendered = _entries(dumps_yaml({"schema": "2.0", "stages": serialize.to_lockfile(stage, **options)}))
        if rendered is None:
            return False
        entries |= rendered
    after = _HEAD + "".join(entries.values())
    if after == before:
        return True
    logger.info("%s lock file '%s'", "Updating" if path.is_file() else "Generating", lockfile.relpath)
    new = scratch / f"dvc.lock.{os.getpid()}"
    try:
        new.write_text(after, encoding="utf-8", newline="\n")
        if path.is_file():
            shutil.copymode(path, new)
        new.replace(path)
    finally:
        with suppress(FileNotFoundError):
            new.unlink()
    lockfile.repo.scm_context.track_file(lockfile.relpath)
    return True


def _entries(text: str) -> dict[str, str] | None:
    """The stages of a dvc.lock, as text by their first line; None where it has anything else."""
    if not text.startswith(_HEAD):
        return None
    first, *entries = _STAGE.split(text[len(_HEAD) :])
    lines = text[len(_HEAD) :].splitlines()
    if first or not text.endswith("\n") or any(not line.startswith("  ") and line for line in lines):
        return None
    return {entry.partition("\n")[0]: entry for entry in entries}


def main(arguments: Sequence[str]) -> int:
    """DVC's exit code for `dvc ARGUMENTS…`."""
    from dvc.cli import main as dvc

    with hashed_once(), locked_in_place():
        return int(dvc(list(arguments)) or 0)


def leave(code: int) -> NoReturn:
    """As Python's own end, which takes apart what DVC imported, but for that."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main(sys.argv[2:]))
