"""What dead processes left behind, put right at the next start; never a thing that somebody alive has.

Local marks first: leases, DVC's locks, temporary servers, journals. Where there are none, neither MLflow nor
Prefect is imported. A training is alive while somebody holds the locks of its journal, however it was
started; a run without a journal here is judged by the process in its tags, on the machine that it ran on.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convoy.environment import state_dir
from convoy.errors import ConvoyError
from convoy.layout import PARAMS
from convoy.owners import Owner
from convoy.pipeline import abandoned, database, flock, lease, rwlock, server
from convoy.registry import outbox
from convoy.registry.client import tracking_uri
from convoy.training import journal

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PAGE = 200
_LAST_BYTES = 8192  # the last event of a journal is shorter

Say = Callable[[str], None]


@dataclass(frozen=True)
class Finding:
    """One thing that was left.

    Attributes:
        kind: lease, dvc lock, server, database, journal, training, flow run.
        what: it is.
        done: what became of it; empty where it was only looked at.
        fix: what a person should do; empty where that is nothing.
    """

    kind: str
    what: str
    done: str = ""
    fix: str = ""

    def __str__(self) -> str:
        return self.what + (f": {self.done}" if self.done else "") + (f"; {self.fix}" if self.fix else "")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def reconcile(
    root: Path, *, say: Say = lambda _line: None, act: bool = True, deep: bool = False
) -> list[Finding]:
    """Put right what dead processes left in this project.

    Args:
        say: told each finding.
        act: False: only look.
        deep: ask MLflow also where no local mark speaks of a dead run.
    """
    found = []
    for finding in _findings(root, act, deep):
        found.append(finding)
        say(str(finding))
    return found


def _findings(root: Path, act: bool, deep: bool) -> Iterator[Finding]:
    removed = "removed" if act else ""
    for holder in lease.clear(root, act=act):
        yield Finding("lease", str(holder), removed)
    for what in rwlock.repair(root, act=act):
        yield Finding("dvc lock", what, removed)
    claim = rwlock.claimed(root)
    if claim is not None:
        yield Finding(
            "dvc lock",
            f"DVC's lock {claim} (core.hardlink_lock), though no DVC command runs on this machine",
            fix="delete it, unless one runs on another machine that shares this folder",
        )
    for pid in server.orphans(state_dir(root) / "logs", act=act):
        done = "told to end" if act else ""
        yield Finding("server", f"a temporary Prefect server (process {pid}) whose run is gone", done)
    yield from _database(act)
    yield from _trainings(root, act)
    if deep:
        yield from _untracked(root, act)
    url = os.environ.get("PREFECT_API_URL")
    for name in abandoned.mark(url, act=act) if url else []:
        yield Finding("flow run", f"flow run {name}, whose process is gone", "now Crashed" if act else "")


def _database(act: bool) -> Iterator[Finding]:
    """The history of flow runs on temporary servers, which another server's is no part of."""
    home = Path(os.environ.get("PREFECT_HOME") or "-")
    wrong = "" if os.environ.get("PREFECT_API_URL") else database.damaged(home)
    if wrong:
        done = f"set aside as {database.set_aside(home)}, the next run begins a new one" if act else ""
        yield Finding("database", f"Prefect's database is damaged ({wrong})", done)


def _trainings(root: Path, act: bool) -> Iterator[Finding]:
    """Journals without an end that nobody writes: they get one, and MLflow hears of it."""
    paths = outbox.journals(root)
    for path in [path for path in paths if _last(path).get("event") != "end"]:
        with _nobodys(path) as dead:
            events = list(journal.read(path)) if dead else []
            if not events or events[0]["event"] != "start":
                continue  # alive; or the next training of the same begins it anew
            name = events[0]["name"]
            if events[-1]["event"] == "end":
                if act:
                    journal.Journal(path).keep(events)
                what = f"half a line behind the end of training {name}'s journal"
                yield Finding("journal", what, "removed" if act else "")
            elif not act or journal.Journal(path).close_abandoned():
                what = f"training {name}, whose process is gone"
                yield Finding("training", what, "KILLED" if act else "")
    uri = tracking_uri(root)
    silent = [path for path in paths if _last(path).get("reason") == journal.GONE]
    if act and any(not outbox.is_sent(path, uri) for path in silent):
        from convoy.config.load import load
        from convoy.registry import tracking

        with suppress(ConvoyError):  # the server is away: next time
            tracking.send_waiting(root, load(root / PARAMS))


def _last(path: Path) -> journal.Event:
    """The last event of a journal; empty where its line is not whole."""
    with path.open("rb") as handle:
        handle.seek(0, os.SEEK_END)
        handle.seek(max(0, handle.tell() - _LAST_BYTES))
        lines = handle.read().split(b"\n")
    try:
        found = json.loads(lines[-2]) if len(lines) > 1 and not lines[-1] else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _nobodys(path: Path) -> Iterator[bool]:
    """Whether neither a training writes a journal nor a mirror or `track sync` sends it; none begins to."""
    if journal.Journal(path).written():
        yield False
        return
    locks = [lock for lock in (path.with_suffix(".lock"), path.with_suffix(".sync.lock")) if lock.is_file()]
    held = [flock.take(lock) for lock in locks]
    try:
        yield None not in held
    finally:
        for descriptor in held:
            if descriptor is not None:
                os.close(descriptor)


def _untracked(root: Path, act: bool) -> Iterator[Finding]:
    """MLflow's running runs whose process, one of this machine, is gone, and that nobody here sends."""
    from convoy.registry.client import connect, reached
    from convoy.registry.runs import KEY_TAG, PROCESS_TAG

    try:
        client = connect(root)
        with reached(tracking_uri(root)):
            for run in _running(client, f"tags.`{PROCESS_TAG}` LIKE '%'"):
                owner = Owner.parse(run.data.tags[PROCESS_TAG])
                if owner is None or not owner.gone:
                    continue
                here = state_dir(root) / "runs" / run.data.tags.get(KEY_TAG, "-") / journal.NAME
                with _nobodys(here) if here.is_file() else nullcontext(True) as dead:
                    if not dead:
                        continue
                    status = _status(here)
                    if act:
                        client.set_terminated(run.info.run_id, status)
                what = f"MLflow run {run.info.run_name}, whose process is gone"
                yield Finding("training", what, status if act else "")
    except ConvoyError as error:
        yield Finding("server", str(error.what), fix=error.fix)


def _status(path: Path) -> str:
    events = list(journal.read(path))
    return str(events[-1]["status"]) if events and events[-1]["event"] == "end" else "KILLED"


def _running(client: "MlflowClient", condition: str) -> Iterator[Any]:
    """MLflow's running runs, of all experiments."""
    experiments = [each.experiment_id for each in client.search_experiments()]
    token = None
    while True:
        page = client.search_runs(
            experiments, f"attributes.status = 'RUNNING' AND {condition}", max_results=_PAGE, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return
