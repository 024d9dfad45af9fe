"""Why a stage or a run ended badly: the one list of causes, what to try, and whether another try can mend it.

`convoy explain` tells them, the flow asks them for `retry`. A new cause is a line in `CAUSES`: the first that
fits counts, the particular before the general.
"""

import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

SIGNALS = {int(number): number.name for number in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM)}


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How something ended.

    Attributes:
        code: the exit code of convoy.errors; 0: well; None: it had no time to give one.
        message: as it was printed.
        signal: that ended it; 0: none.
        late: it was ended for taking longer than it may.
        memory: the kernel killed something for want of memory meanwhile.
        cancelled: somebody cancelled the flow run in Prefect.
        restarted: the machine was started anew before it had ended.
        tail: its last lines.
    """

    code: int | None
    message: str = ""
    signal: int = 0
    late: bool = False
    memory: bool = False
    cancelled: bool = False
    restarted: bool = False
    tail: tuple[str, ...] = field(default=(), compare=False)

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def text(self) -> str:
        return "\n".join([self.message, *self.tail])


@dataclass(frozen=True)
class Cause:
    """A kind of ending.

    Attributes:
        name: for programs: stays the same.
        what: a sentence for people.
        fix: what to try; the error's own advice comes first where it has one.
        retry: whether the same again, a little later, can end well.
    """

    name: str
    what: str
    fix: str
    retry: bool
    fits: Callable[[Ending], bool]


def of(ending: Ending) -> Cause:
    """The first cause that fits; the last fits all."""
    return next(cause for cause in CAUSES if cause.fits(ending))


def _says(pattern: str, *codes: int | None) -> Callable[[Ending], bool]:
    """The error, or where there is none the last lines, hold a pattern (and the code is one of `codes`)."""
    found = re.compile(pattern, re.IGNORECASE)
    return lambda e: (
        (not codes or e.code in codes)
        and bool(found.search(e.message) or (e.code in (None, 1) and found.search(e.text)))
    )


def _code(number: int) -> Callable[[Ending], bool]:
    return lambda e: e.code == number


CAUSES = (
    Cause("done", "it ended well", "", False, _code(0)),
    Cause(
        "cancelled",
        "somebody cancelled the flow run in Prefect",
        "`convoy run` or a retry in Prefect goes on from what is done, a training from its checkpoint",
        False,
        lambda e: e.cancelled,
    ),
    Cause(
        "restart",
        "the machine was started anew while it ran",
        "`convoy run` goes on from what is done, a training from its checkpoint",
        False,
        lambda e: e.restarted,
    ),
    Cause(
        "timeout",
        "it took longer than flow.stage_timeout_seconds allows, and was ended with all its processes",
        "`convoy run` goes on from the training's last checkpoint; raise flow.stage_timeout_seconds in "
        "params.yaml, or see in its last lines what it waited for",
        False,
        lambda e: e.late,
    ),
    Cause(
        "out of memory",
        "memory ran out, and the kernel killed it (SIGKILL)",
        "`dmesg` names the process; a smaller train.batch_size, fewer loader workers, or less beside it",
        True,
        lambda e: e.signal == signal.SIGKILL and e.memory,
    ),
    Cause(
        "killed",
        "it was killed with SIGKILL, which leaves no time for a word",
        "`kill -9`, a scheduler's or a container's limit, or memory that ran out (`dmesg`); "
        "`convoy run` goes on from what is done",
        True,
        lambda e: e.signal == signal.SIGKILL,
    ),
    Cause(
        "told to end",
        "somebody told it to end (Ctrl-C, kill, a shutdown)",
        "`convoy run` goes on from what is done, a training from its checkpoint",
        True,
        lambda e: e.signal in (signal.SIGTERM, signal.SIGINT),
    ),
    Cause(
        "out of GPU memory",
        "the GPU's memory ran out",
        "a smaller train.batch_size, or end what else is on the GPU (`nvidia-smi`)",
        False,
        _says(r"CUDA out of memory|OutOfMemoryError"),
    ),
    Cause(
        "out of memory",
        "memory ran out",
        "a smaller train.batch_size, smaller pictures, or less beside it",
        False,
        _says(r"\bMemoryError\b|Cannot allocate memory|does not fit into memory"),
    ),
    Cause(
        "disk full",
        "the disk is full",
        "free some space (`dvc gc --workspace` for the cache), then `convoy run`; nothing partial was kept",
        False,
        _says(r"disk is full|no room on the disk|no space|ENOSPC|disk quota", None, 1, 5),
    ),
    Cause(
        "not resumable here",
        "an interrupted training cannot be resumed to the bit in this environment",
        "go on where it was made, or `convoy run --allow-inexact-resume`, or `convoy run --restart-training`",
        False,
        _says(r"cannot be resumed exactly", 5),
    ),
    Cause(
        "project taken",
        "another run had the project",
        "wait until it has ended; `convoy run` waits by itself",
        False,
        _says(r"the project is taken by", 5),
    ),
    Cause(
        "server away",
        "a server did not answer",
        "see that it runs and that its address is right; `convoy track sync` sends what is missing",
        True,
        _says(
            r"cannot be reached|no answer:|broken off|the server answers (5|429)|does not listen"
            r"|Prefect server (did not start|ended)|Can't connect to Server API|ConnectError"
            r"|Connection refused|ConcurrencySlotAcquisitionError|All connection attempts failed",
            None,
            1,
            5,
        ),
    ),
    Cause(
        "helper killed",
        "a process that helped it was killed",
        "see why (`dmesg` tells of memory that ran out), then `convoy run`",
        True,
        _says(
            r"^error 5: rank \d+ of|worker process ended|cannot start a process|starts workers has ended", 5
        ),
    ),
    Cause(
        "other process",
        "another process was faster at the same thing",
        "run it again",
        True,
        _says(r"another process wrote|other processes keep moving", 5),
    ),
    Cause("parameters", "the parameters are wrong", "mend params.yaml, then `convoy run`", False, _code(2)),
    Cause(
        "data",
        "the data are wrong",
        "artifacts/validate/quarantine.csv names the samples; mend them or the limits in section `validate`",
        False,
        _code(3),
    ),
    Cause(
        "not finite",
        "the loss became NaN or infinite",
        "a lower learning rate (`convoy lr-find`), train.clipping, fp32 instead of fp16",
        False,
        _says(r"not finite|\bNaN\b", 4),
    ),
    Cause(
        "altered",
        "bytes are not what they were recorded to be",
        "`convoy verify` names what was altered",
        False,
        _code(4),
    ),
    Cause(
        "refused",
        "the gate did not promote the model; it is registered",
        "`convoy registry show` tells the numbers; train a better one",
        False,
        _code(6),
    ),
    Cause(
        "lacking",
        "the environment lacks something",
        "provide what the message names, then `convoy run`",
        False,
        _code(5),
    ),
    Cause(
        "DVC",
        "DVC stopped before or behind the stage",
        "the message is DVC's; `dvc status` and `convoy doctor` tell more",
        False,
        lambda e: "ERROR: failed to" in e.text and "Traceback" not in e.text,
    ),
    Cause(
        "unexpected",
        "it ended with an error that convoy does not know",
        "the last lines tell which; `convoy run` tries it again",
        False,
        lambda _: True,
    ),
)
