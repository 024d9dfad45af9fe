"""What became of a run: stage, cause, what to try; from its record, journal, processes and DVC's locks."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from convoy.environment import state_dir
from convoy.errors import DataError
from convoy.owners import Owner
from convoy.pipeline import causes, history, lease, rwlock
from convoy.pipeline.causes import Cause, Ending
from convoy.pipeline.history import Record
from convoy.training import journal

_RUNNING = Cause("running", "it runs", "", False, lambda _: False)
_UNKNOWN = Cause(
    "elsewhere",
    "it has not ended as far as is known here: its process belongs to another machine or container",
    "ask there: `convoy explain`",
    False,
    lambda _: False,
)


@dataclass(frozen=True)
class Training:
    """What the live journal of a training says."""

    key: str
    name: str
    epochs: int
    of: int | None
    status: str


@dataclass(frozen=True)
class Explanation:
    """What is known of a run.

    Attributes:
        status: running, done, refused, failed, ended (from outside) or unknown.
        stage: that ran last, where it matters; empty otherwise.
        attempts: tries of that stage.
        cause: its name in `causes`.
        message: as it was printed.
        lines: the stage's last ones.
        stages: all that were asked: done, up to date, failed, running.
        beside: who holds what it may wait for.
        flow: {"name", "id", "server"} of the Prefect flow run; empty without one.
    """

    run: str
    command: str
    user: str
    begun: float
    ended: float | None
    status: str
    stage: str
    attempts: int
    cause: str
    what: str
    message: str
    fix: str
    lines: tuple[str, ...]
    stages: dict[str, str]
    training: Training | None
    beside: tuple[str, ...]
    flow: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def explain(root: Path, wanted: str | None = None) -> Explanation:
    """Explain a run, the last one by default.

    Args:
        wanted: the id of its record, the name or id of its flow run, the name or key of its training; the
            beginning of any of these will do.

    Raises:
        DataError: there is no such run.
    """
    found = _find(root, wanted)
    events = found.events()
    first = events[0]
    stages, last, attempts = _stages(events)
    flow: Mapping[str, Any] = next((e for e in reversed(events) if e["event"] == "flow"), {})
    end = next((e for e in reversed(events) if e["event"] == "end"), None)
    owners = [Owner.read(e) for e in (first, flow) if e]
    told = history.ending(end) if end else None
    failed = last is not None and last["event"] == "stage end" and not history.ending(last).ok
    if told is not None and failed and last is not None and told.code not in (0, 2, 6) and not told.signal:
        stage = history.ending(last)
        ended = stage.signal or not last.get("ran", True)  # in its course, or before it had begun
        told = told if told.code and ended else stage  # a run that ended its stages itself says why
    status, cause, ending = _judge(told, [owner for owner in owners if owner])
    training = _training(root, first["t"], end["t"] if end else None)
    at = "" if last is None or status in ("done", "refused") or not (failed or _open(last)) else last["stage"]
    return Explanation(
        run=found.id,
        command=str(first.get("command", "")),
        user=str(first.get("user", "")),
        begun=float(first["t"]),
        ended=float(end["t"]) if end else None,
        status=status,
        stage=at,
        attempts=attempts.get(at, 0),
        cause=cause.name,
        what=cause.what,
        message=ending.message,
        fix=cause.fix,
        lines=ending.tail if status == "failed" else (),
        stages=_said(stages, running=status == "running"),
        training=training,
        beside=_beside(root) if status == "running" else (),
        flow={name: str(flow[name]) for name in ("name", "id", "server") if flow.get(name)},
    )


def _find(root: Path, wanted: str | None) -> Record:
    known = [record for record in history.records(root) if record.events()]
    if wanted is None and known:
        return known[-1]
    for record in reversed(known):
        if wanted is not None and any(name.startswith(wanted) for name in _names(root, record)):
            return record
    raise DataError(
        "no run has begun here yet" if wanted is None else f"no run is called {wanted!r}",
        where=str(state_dir(root) / "history"),
        fix="`convoy run` makes one" if wanted is None else "`convoy explain` without a name takes the last",
    )


def _names(root: Path, record: Record) -> list[str]:
    events = record.events()
    names = [record.id, *(str(e[part]) for e in events if e["event"] == "flow" for part in ("name", "id"))]
    end = next((e["t"] for e in reversed(events) if e["event"] == "end"), None)
    training = _training(root, events[0]["t"], end)
    return [*names, training.name, training.key] if training else names


def _stages(
    events: list[journal.Event],
) -> tuple[dict[str, journal.Event], journal.Event | None, dict[str, int]]:
    """The last word on each stage; of all stages the one that matters; tries of each."""
    latest: dict[str, journal.Event] = {}
    attempts: dict[str, int] = {}
    for event in events:
        if event["event"] in ("stage", "stage end"):
            latest[event["stage"]] = event
        if event["event"] == "stage":
            attempts[event["stage"]] = attempts.get(event["stage"], 0) + 1
    bad = [e for e in latest.values() if e["event"] == "stage end" and not history.ending(e).ok]
    undone = [e for e in latest.values() if _open(e)]
    return latest, next(iter([*bad, *undone]), None), attempts


def _open(event: journal.Event) -> bool:
    return bool(event["event"] == "stage")


def _judge(told: Ending | None, owners: list[Owner]) -> tuple[str, Cause, Ending]:
    silent = Ending(code=None)
    if told is None:
        if not all(owner.gone for owner in owners):
            living = any(owner.local and not owner.gone for owner in owners)
            return ("running", _RUNNING, silent) if living else ("unknown", _UNKNOWN, silent)
        cut = Ending(code=None, signal=9, restarted=any(owner.restarted for owner in owners))
        return "ended", causes.of(cut), cut
    cause = causes.of(told)
    if told.ok:
        return "done", cause, told
    if told.code == 6:
        return "refused", cause, told
    return ("ended" if told.signal and not told.memory else "failed"), cause, told


def _said(stages: Mapping[str, journal.Event], *, running: bool) -> dict[str, str]:
    said = {}
    for name, event in stages.items():
        if _open(event):
            said[name] = "running" if running else "cut off"
        elif history.ending(event).ok:
            said[name] = "done" if event.get("ran") else "up to date"
        else:
            said[name] = "ended" if history.ending(event).signal else "failed"
    return said


def _training(root: Path, begun: float, ended: float | None) -> Training | None:
    """The training that wrote its journal last between two moments."""
    found: tuple[float, list[journal.Event]] | None = None
    for path in (state_dir(root) / "runs").glob("*/journal.jsonl"):
        within = [
            e for e in journal.read(path) if e["t"] >= begun and (ended is None or e["t"] <= ended + 60)
        ]
        if within and (found is None or within[-1]["t"] > found[0]):
            found = within[-1]["t"], list(journal.read(path))
    if found is None or found[1][0]["event"] != "start":
        return None
    events = found[1]
    last = events[-1]
    status = f"{last['status']} {_reason(last)}".strip() if last["event"] == "end" else "RUNNING"
    epochs = sum(1 for event in events if event["event"] == "metrics")
    return Training(
        events[0]["key"], events[0]["name"], epochs, events[0].get("params", {}).get("epochs"), status
    )


def _reason(end: journal.Event) -> str:
    """Of a training's end; a signal's exit code by the signal's name."""
    code = str(end["reason"])
    return causes.SIGNALS.get(int(code) - 128, code) if code.isdecimal() else code


def _beside(root: Path) -> tuple[str, ...]:
    held = [str(holder) for holder in lease.holders(root)]
    try:
        held += [f"DVC's `{command}` ({pid})" for pid, command in rwlock.commands(root).items()]
    except (ValueError, KeyError, TypeError, AttributeError):
        held.append("DVC's list of locked files is damaged (.dvc/tmp/rwlock); the next `convoy run` mends it")
    return tuple(held)
