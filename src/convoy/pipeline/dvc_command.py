"""DVC, hashing each dependency once where it would hash it again and again.

    python -P hashing.py dvc ARGUMENTS…      `dvc ARGUMENTS…`, as `convoy.pipeline.repro` runs it

DVC looks at a dependency ten times for one stage: has it changed, can the run cache be asked, what is its
key, what goes into dvc.lock … Each time it walks the folder and asks its database about every file. Between
two such moments nothing happens but DVC's own questions, so the first answer holds until the stage's command
has run; what lies there afterwards is hashed again. Only answers about dependencies are kept: outputs are
what DVC itself writes.

This file imports nothing of convoy: it also runs beside the code of an earlier commit.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def once() -> Iterator[Callable[[], None]]:
    """Inside, this process's DVC hashes no local dependency twice; call what is yielded to forget them all.

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


def main(arguments: list[str]) -> int:
    from dvc.cli import main as dvc

    with once():
        return int(dvc(arguments) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:]))
