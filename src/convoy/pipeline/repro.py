"""One stage of dvc.yaml run by DVC in a subprocess, and how it ended."""

import errno
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from convoy.io import read_json
from convoy.layout import STATE
from convoy.pipeline import ahead, rwlock
from convoy.pipeline.causes import SIGNALS, Ending

FLOW_PID = "CONVOY_FLOW_PID"  # a stage ends itself when this process is gone
FAILURE = "CONVOY_FAILURE"  # the file for a stage's error, which DVC's exit code does not carry
_GRACE_SECONDS = 15.0
_BUSY_SECONDS = 0.5
_TAIL_LINES = 20

_BUSY = "is busy, it is being blocked by"  # DVC's words
_BLOCKER = re.compile(r"\(PID (\d+)\): (.*)")
_EXITED = re.compile(r"failed to run: .*, exited with (-?\d+)")
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

_running: set[ahead.Process] = set()
_ended = threading.Event()


@dataclass(frozen=True, kw_only=True)
class Outcome(Ending):
    """How a stage ended; `ran` is False where it was up to date."""

    ran: bool


def repro(
    root: Path,
    stage: str,
    *,
    timeout: float,
    line: Callable[[str], None],
    options: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    follows: bool = False,
) -> Outcome:
    """`dvc repro --single-item STAGE` in a process group of its own, as soon as no other DVC holds its files.

    Args:
        timeout: seconds after which the group is ended; waiting for other DVC commands does not count.
        line: receives each line of output as it comes.
        options: more options of `dvc repro`.
        variables: of the environment, beside this process's own.
        follows: another stage does, for which a process shall be warm.
    """
    arguments = ["--wait-for-lock", "repro", *options, "--single-item", stage]
    while True:
        lines: deque[str] = deque(maxlen=_TAIL_LINES)

        def heard(text: str, kept: deque[str] = lines) -> None:
            kept.append(text)
            line(text)

        outcome = _once(root, stage, arguments, timeout, heard, variables or {}, follows)
        blockers = dict(_BLOCKER.findall("\n".join(lines))) if outcome.code is None else {}
        if not blockers or _BUSY not in "\n".join(lines):
            return replace(outcome, tail=() if outcome.ok else tuple(lines))
        line(f"stage {stage} waits for {', '.join(f'`{each}` ({pid})' for pid, each in blockers.items())}")
        _wait_for(root, {int(pid) for pid in blockers})


def _once(
    root: Path,
    stage: str,
    arguments: Sequence[str],
    timeout: float,
    line: Callable[[str], None],
    variables: Mapping[str, str],
    follows: bool,
) -> Outcome:
    if _ended.is_set():
        return Outcome(ran=False, code=None, message=f"stage {stage} was not started: the run is ending")
    failure = root / STATE / "failures" / f"{stage}-{os.getpid()}.json"
    failure.unlink(missing_ok=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    own = {"PATH": path, FLOW_PID: str(os.getpid()), FAILURE: str(failure)}
    killed_before = _out_of_memory()
    process = ahead.start(root, arguments, {**os.environ, **variables, **own})
    _running.add(process)
    if _ended.is_set():  # while it was started
        _end_group(process)
    late = threading.Event()

    def expire() -> None:
        late.set()
        _end_group(process)

    timer = threading.Timer(timeout, expire)
    timer.start()
    if follows:
        ahead.begin(root)
    ran, status, error = True, 0, ""
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        assert process.stdout is not None
        for text in process.stdout:
            last.append(text.rstrip())
            ran = ran and "didn't change, skipping" not in text
            exited = _EXITED.search(text)
            status = int(exited[1]) if exited else status
            error = text.strip() if text.startswith("ERROR: ") else error
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
        if process.poll():  # one that was killed leaves its entries
            rwlock.repair(root)
    if process.returncode == 0:
        return Outcome(ran=ran, code=0)
    if late.is_set():
        message = f"error 5: stage {stage} took longer than {timeout:g} s"
        return Outcome(ran=True, code=5, message=message, late=True)
    if failure.is_file():
        record = read_json(failure)
        failure.unlink()
        return Outcome(ran=True, code=record["code"], message=record["message"])
    told = _said(last)
    if told is not None:
        return told
    memory = _out_of_memory() > killed_before
    if process.returncode < 0:
        number = -process.returncode
        return Outcome(
            ran=True, code=None, message=f"the DVC command of stage {stage} {_by(number)}",
            signal=number, memory=memory,
        )  # fmt: skip
    number = -status if status < 0 else status - 128 if status - 128 in SIGNALS else 0
    if number:
        message = f"stage {stage} {_by(number)}"
        return Outcome(ran=True, code=None, message=message, signal=number, memory=memory)
    how = f"stage {stage} ended with an error (exit code {status})"
    return Outcome(ran=True, code=None, message=how if status or not error else error)


def _by(number: int) -> str:
    return f"was ended from outside ({SIGNALS.get(number, f'signal {number}')})"


def _wait_for(root: Path, blockers: set[int]) -> None:
    """Until none of these processes holds files in DVC's books, or the run is ending."""
    while not _ended.is_set():
        rwlock.repair(root)
        with suppress(ValueError):  # it is being written
            if not blockers & rwlock.commands(root).keys():
                return
        time.sleep(_BUSY_SECONDS)


def _out_of_memory() -> int:
    """How many processes the kernel has killed for want of memory, 0 where it does not count."""
    try:
        text = Path("/proc/vmstat").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else 0


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
    ahead.drop()  # after them: it knows how they ended


def ending() -> bool:
    """Whether `end_all` was called: no failure is worth another try then."""
    return _ended.is_set()


def _end_group(process: ahead.Process) -> None:
    """SIGTERM to the whole group, SIGKILL to what is left after a grace period."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_GRACE_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return
