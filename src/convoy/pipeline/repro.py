"""One stage of dvc.yaml run by DVC in a subprocess, and how it ended."""

import errno
import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from convoy.io import read_json
from convoy.layout import STATE
from convoy.pipeline import hashing, lease

FLOW_PID = "CONVOY_FLOW_PID"  # a stage ends itself when this process is gone
_GRACE_SECONDS = 15.0
_LAST_LINES = 50  # of the output, in which the error of a stage is looked for
_ERROR = re.compile(r"error ([2-6]): ")

# What DVC advises a person at a terminal; a flow's log has no use for it.
_CHATTER = (
    "To track the changes with git",
    "git add ",
    "To enable auto staging",
    "dvc config core.autostage",
    "Use `dvc push`",
    "Data and pipelines are up to date",
)

_running: set["subprocess.Popen[str]"] = set()
_ended = threading.Event()


@dataclass(frozen=True)
class Outcome:
    """How a stage ended: `code` is the stage's own exit code, None where a signal or a crash ended it."""

    ran: bool
    code: int | None
    message: str

    @property
    def ok(self) -> bool:
        return self.code == 0


def failure_file(stage: str) -> Path:
    """Where `convoy stage` leaves its error, which DVC's exit code does not carry. Below the root."""
    return STATE / "failures" / f"{stage}.json"


def repro(
    root: Path,
    stage: str,
    *,
    timeout: float,
    line: Callable[[str], None],
    options: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> Outcome:
    """`dvc repro --single-item STAGE` in a process group of its own.

    Args:
        timeout: seconds after which the group is ended.
        line: receives each line of output as it comes.
        options: more options of `dvc repro`.
        variables: of the environment, beside this process's own.
    """
    if _ended.is_set():
        return Outcome(ran=False, code=None, message=f"stage {stage} was not started: the run is ending")
    failure = root / failure_file(stage)
    failure.unlink(missing_ok=True)
    # -P: this folder's modules must not stand before others; a path: the environment may name other code
    dvc = [sys.executable, "-P", hashing.__file__, "dvc"]
    command = [*dvc, "--wait-for-lock", "repro", *options, "--single-item", stage]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    process = subprocess.Popen(
        command,
        cwd=root,
        env={**os.environ, **(variables or {}), "PATH": path, FLOW_PID: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        pass_fds=lease.descriptors(),
    )
    _running.add(process)
    if _ended.is_set():  # while it was started
        _end_group(process)
    late = threading.Event()

    def expire() -> None:
        late.set()
        _end_group(process)

    timer = threading.Timer(timeout, expire)
    timer.start()
    ran = True
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        assert process.stdout is not None
        for text in process.stdout:
            last.append(text.rstrip())
            ran = ran and "didn't change, skipping" not in text
            if text.strip() and not text.strip().startswith(_CHATTER):
                line(text.rstrip())
        process.wait()
    except BaseException:
        _end_group(process)
        raise
    finally:
        _running.discard(process)
        timer.cancel()
        if process.stdout is not None:
            process.stdout.close()
    if process.returncode == 0:
        return Outcome(ran=ran, code=0, message="")
    if late.is_set():
        return Outcome(ran=True, code=5, message=f"error 5: stage {stage} took longer than {timeout:g} s")
    if failure.is_file():
        record = read_json(failure)
        return Outcome(ran=True, code=record["code"], message=record["message"])
    return _said(last) or Outcome(ran=True, code=None, message=f"stage {stage} was ended from outside")


def _said(lines: Iterable[str]) -> Outcome | None:
    """The error that the output tells of: on a full disk there is no room for a file that does.

    `convoy stage` prints its block; DVC, which writes locks and a cache, its own words.
    """
    known = list(lines)
    for number in reversed(range(len(known))):
        begun = _ERROR.match(known[number])
        if begun:
            rest = takewhile(lambda line: line.startswith("  "), known[number + 1 :])
            return Outcome(ran=True, code=int(begun[1]), message="\n".join([known[number], *rest]))
    full = next((line for line in known if os.strerror(errno.ENOSPC) in line), None)
    if full is None:
        return None
    return Outcome(
        ran=True, code=5, message=f"error 5: the disk is full\n  where: {full}\n  fix:   free some space"
    )


def end_all() -> None:
    """End every stage that this process runs, and start none any more.

    What a signal handler calls before it unwinds the stack.
    """
    _ended.set()
    for process in list(_running):
        _end_group(process)


def ending() -> bool:
    """Whether `end_all` was called: no failure is worth another try then."""
    return _ended.is_set()


def _end_group(process: subprocess.Popen[str]) -> None:
    """SIGTERM to the whole group, SIGKILL to what is left after a grace period."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_GRACE_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return
