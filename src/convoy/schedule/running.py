"""The steps of a scheduled run, without Prefect: what is new, the pipeline as a child, what is kept."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from convoy import provenance
from convoy.config.register import FlowConfig
from convoy.environment import state_dir
from convoy.errors import ConfigError, ConvoyError, GateRefused, ResourceError, ToldError
from convoy.io import read_json, sha256_file
from convoy.layout import PARAMS
from convoy.locking import only_one
from convoy.pipeline import fresh, lease, subflow, summary
from convoy.schedule import arrivals, commits, record, taking
from convoy.schedule.arrivals import Listing
from convoy.schedule.plan import Plan
from convoy.schedule.record import Last
from convoy.schedule.taking import Taken
from convoy.schedule.workplace import Workplace

Say = Callable[[str], None]
Answer = TypeVar("Answer")

MENDABLE = ResourceError.exit_code
_SCRIPT = Path("flows") / "pipeline.py"
_END_SECONDS = 60.0  # for the stages to write a checkpoint and end
_TAIL = 12  # lines of the child's output that tell of an error


class PipelineFailed(ToldError):
    """The pipeline of a scheduled run ended badly, and notified people of it."""


@dataclass(frozen=True)
class Ready:
    """A run whose worktree holds its data and has its commit.

    Attributes:
        commit: what is trained.
        fresh: stages that are up to date.
        committed_lock: digest of the dvc.lock in the base commit.
        done: nothing is left to run.
    """

    taken: Taken
    commit: str
    fresh: frozenset[str]
    committed_lock: str | None
    done: bool


def turn(root: Path, plan: Plan) -> AbstractContextManager[bool]:
    """Be the one run of a schedule; False where another one is under way. A crash ends a turn.

    A lock of the operating system: Prefect's concurrency limits end their holder when the server was away or
    started anew, and a training of hours with it.
    """
    return only_one(record.folder(root, plan.name) / "run.lock")


def nothing_new(root: Path, plan: Plan, last: Last | None, listing: Listing | None) -> str:
    """Why a run on new data has nothing to do, told before anything is laid out; else empty."""
    if not plan.on_new_data or last is None or listing is None:
        return ""
    if arrivals.digest(listing) != last.listing:
        return ""
    return f"nothing new in {plan.folder(root)} since {last.when}: {last.said}"


def prepare(
    place: Workplace, plan: Plan, last: Last | None, listing: Listing | None, say: Say
) -> Ready | str:
    """Take the data, commit what is new, and find out what is left to do.

    Returns:
        Why there is nothing to do, where there are no new data and a run waits for some.

    Raises:
        ConvoyError: as `taking.take`.
    """
    committed = record.lay_lock(place.root, plan.name, last, place.project)
    taken = taking.take(place, plan, listing, say)
    if plan.on_new_data and last is not None and dict(last.data) == dict(taken.data):
        return f"no new data since {last.when}: {last.said}"
    commit = place.base
    if taken.changed:
        lock = [provenance.DVC_LOCK.as_posix()] if (place.project / provenance.DVC_LOCK).is_file() else []
        commit = commits.commit(
            place.project,
            [*taken.changed, *lock],
            f"schedule {plan.name}: {', '.join(taken.changed)}",
            commits.line(plan.name, plan.commit_lock),
        )
        commits.keep(place.root, plan.name, commit)
        say(f"committed {', '.join(taken.changed)} as {commit[:12]}")
    path = str(provenance.read_yaml(place.project / PARAMS).get("data", {}).get("path", ""))
    pinned = provenance.pinned_digest(place.project, path)
    if pinned is not None and pinned != provenance.locked_digest(place.project, path):
        return Ready(taken, commit, frozenset(), committed, done=False)  # all stages: no need to ask
    taking.restore_artifacts(place)
    standing = fresh.standing(place.project)
    if standing is None:
        return Ready(taken, commit, frozenset(), committed, done=False)
    return Ready(taken, commit, standing.fresh, committed, done=standing.done)


def checked(project: Path) -> str:
    """What says that these parameters passed the checks before a run: they and the code that checks."""
    return f"{sha256_file(project / PARAMS)} {provenance.file_digest(Path(summary.__file__))}"


def run_pipeline(
    place: Workplace, options: Sequence[str], variables: Mapping[str, str], log: Path
) -> dict[str, Any]:
    """The worktree's own flow in a process of its own, which ends with this one; its receipt.

    Args:
        options: of flows/pipeline.py.
        variables: `subflow`'s, and of the environment.
        log: gets its output.

    Raises:
        PipelineFailed: it failed, not: the gate refused.
        ResourceError: a signal ended it.
        ConfigError: the commit has no flow.
    """
    script = place.project / _SCRIPT
    if not script.is_file():
        raise ConfigError("the commit has no flow", where=_SCRIPT.as_posix(), fix="commit flows/")
    result = place.tree.scratch / "result.json"
    result.unlink(missing_ok=True)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT__")}
    own = {subflow.PARENT_PROCESS: str(os.getpid()), subflow.RESULT: str(result)}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(_SCRIPT), *options],
            cwd=place.project,
            env={**clean, **place.variables(), **variables, **own},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=lease.descriptors(),
        )
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            raise
    if code in (0, GateRefused.exit_code) and result.is_file():
        receipt: dict[str, Any] = read_json(result)
        return receipt
    if code < 0:
        raise ResourceError(
            f"the pipeline was ended from outside, by signal {-code}",
            where=str(log),
            fix="look for what ended it: memory that ran out, a person; the next run goes on where it was",
        )
    raise PipelineFailed(code or 1, _tail(log))


def mended(action: Callable[[], Answer], flow: FlowConfig, tries: int, say: Say) -> Answer:
    """Do a thing, and again after faults that time may mend (exit code 5), waiting longer each time.

    Args:
        flow: its `retry_delay_seconds` is the first wait; the second is twice that.
        tries: besides the first.

    Raises:
        ConvoyError: of the last try, or of one that no retry can mend.
    """
    wait = flow.retry_delay_seconds
    for left in range(tries, -1, -1):
        try:
            return action()
        except ConvoyError as error:
            if error.exit_code != MENDABLE or not left:
                raise
            say(f"{error}\ntrying again in {wait:g} s")
            time.sleep(wait)
            wait *= 2
    raise AssertionError("unreachable")


def finish(place: Workplace, plan: Plan, ready: Ready, listing: Listing | None, said: str, say: Say) -> None:
    """Keep what the run made: dvc.lock on the branch, and the record for the next run.

    Raises:
        ResourceError: the branch could not be moved.
    """
    commit = ready.commit
    if plan.commit_lock and (place.project / provenance.DVC_LOCK).is_file():
        commit = commits.commit(
            place.project,
            [provenance.DVC_LOCK.as_posix()],
            f"schedule {plan.name}: dvc.lock\n\n{said}",
            commits.line(plan.name, plan.commit_lock),
        )
    if commit != place.base:
        commits.keep(place.root, plan.name, commit)
    digest = arrivals.digest(listing) if listing is not None else ""
    when = datetime.now().astimezone().isoformat(timespec="seconds")
    last = Last(
        place.base, ready.commit, ready.taken.data, digest, ready.committed_lock, checked(place.project),
        when,        said,
    )  # fmt: skip
    record.write(place.root, plan.name, last, place.project)
    if plan.commit_lock:
        commits.advance(place.root, plan.commit_lock, commit)
        say(f"{plan.commit_lock} is at {commit[:12]}")


def log_file(root: Path, plan: Plan) -> Path:
    return state_dir(root) / "logs" / f"schedule-{plan.name}.log"


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tail(log: Path) -> str:
    """The last error block of the output, or its last lines."""
    lines = log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    starts = [number for number, text in enumerate(lines) if "error " in text and ": " in text]
    first = max(starts, default=0)
    return "\n".join(lines[first:][-_TAIL:]) or "the pipeline left no word"
