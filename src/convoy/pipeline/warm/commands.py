"""What is forked: DVC's command, and the stage that it will run."""

import json
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NoReturn

import setproctitle

from convoy.ending import leave
from convoy.pipeline import dvc_command
from convoy.pipeline.warm.imports import Begun

_STAGE = re.compile(r"convoy stage [a-z]+")  # what needs no shell
_FAILED = 70  # EX_SOFTWARE: a fault of this file, not of what it runs


class Waiting:
    """A stage that waits for DVC's word, as seen from DVC's process."""

    def __init__(self, pid: int, line: int) -> None:
        self.pid = pid
        self.used = False
        self._line = line

    def run(
        self, command: Sequence[str], words: Sequence[str], cwd: str, environment: Mapping[str, str]
    ) -> int:
        """Give it its work and wait for its end; the return code is as of `subprocess`."""
        self.used = True
        work = {"command": command, "words": words, "cwd": cwd, "environment": dict(environment)}
        with suppress(BrokenPipeError), os.fdopen(self._line, "w", encoding="utf-8") as line:  # it was killed
            json.dump(work, line)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def drop(self) -> None:
        """Let it end where no work came."""
        if not self.used:
            os.close(self._line)
            os.waitpid(self.pid, 0)


@contextmanager
def _runs_in(waiting: Waiting) -> Iterator[None]:
    """Inside, this process's DVC runs the first `convoy stage NAME` in the process that waits.

    `dvc.stage.run._run` is DVC's own but internal; nothing else in convoy touches it.
    """
    from dvc.stage import run
    from dvc.stage.exceptions import StageCmdFailedError

    theirs = run._run

    def ours(executable: str | None, cmd: str, **options: Any) -> None:
        known = options.keys() == {"cwd", "env", "close_fds", "shell"} and not options["shell"]
        if waiting.used or not known or not _STAGE.fullmatch(cmd):
            theirs(executable, cmd, **options)
            return
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as DVC does: it is the command's to answer
        try:
            command = run._make_cmd(executable, cmd)
            code = waiting.run(command, cmd.split(), os.fspath(options["cwd"]), options["env"])
        finally:
            signal.signal(signal.SIGINT, before)
        if code:
            raise StageCmdFailedError(cmd, code)

    run._run = ours
    try:
        yield
    finally:
        run._run = theirs
        waiting.drop()


def child(work: Callable[[], NoReturn]) -> NoReturn:
    """In a fork: nothing of what called it goes on."""
    try:
        work()
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(_FAILED)


def command(output: int, work: int, code: int, begun: Begun | None) -> NoReturn:
    """DVC's command."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    waiting = _stage_of(begun, (work, code)) if begun is not None else None
    with os.fdopen(work, encoding="utf-8") as lines:
        line = lines.readline()
    if not line:  # who wanted it is gone
        os._exit(0)
    told = json.loads(line)
    arguments: list[str] = told["arguments"]
    setproctitle.setproctitle(" ".join([dvc_command.NAME, *arguments]))
    setproctitle.setthreadtitle(dvc_command.NAME)
    os.environ.clear()
    os.environ.update(told["environment"])
    sys.argv = [dvc_command.__file__, dvc_command.NAME, *arguments]
    if waiting is None:
        status = dvc_command.main(arguments)
    else:
        with _runs_in(waiting):
            status = dvc_command.main(arguments)
    os.write(code, f"{status}\n".encode())  # before the end, which a stage's process may outlast
    dvc_command.leave(status)


def _stage_of(begun: Begun, not_its_own: Sequence[int]) -> Waiting:
    theirs, ours = os.pipe()
    pid = os.fork()
    if not pid:
        for each in (ours, *not_its_own):
            os.close(each)
        child(partial(_stage, theirs, begun))
    os.close(theirs)
    return Waiting(pid, ours)


def _stage(work: int, begun: Begun) -> NoReturn:
    """`convoy stage NAME`, once it is wanted."""
    with os.fdopen(work, encoding="utf-8") as lines:
        line = lines.readline()
    if not line:
        os._exit(0)
    told = json.loads(line)
    command, words, environment = told["command"], told["words"], told["environment"]
    os.chdir(told["cwd"])
    script = shutil.which(words[0], path=environment.get("PATH"))
    if script is None or Path(script).parent != Path(sys.executable).parent or begun.differs(environment):
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, as `subprocess` takes back
            signal.signal(number, signal.SIG_DFL)
        os.execvpe(command[0], command, environment)  # noqa: S606  # it is the shell
    setproctitle.setproctitle(" ".join(words))
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [script, *words[1:]]
    (entry,) = entry_points(group="console_scripts", name=words[0])
    status: Any = 0
    try:
        entry.load()()
    except SystemExit as error:
        status = error.code
    except BaseException:  # noqa: BLE001  # as Python itself
        sys.excepthook(*sys.exc_info())
        status = 1
    if isinstance(status, str):
        sys.stderr.write(f"{status}\n")
        status = 1
    leave(status or 0)
