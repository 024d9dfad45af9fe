"""`convoy schedule`: pipeline runs by the clock or on new data, on the standing Prefect server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convoy.cli import _server

if TYPE_CHECKING:
    from datetime import datetime

    from convoy.schedule.deployments import Schedule, Server

app = typer.Typer(no_args_is_help=True, help="Pipeline runs by the clock, or on new data.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="Of the schedule.")]

_NEXT = 3
_RUNS = 5


@app.command()
def add(
    cron: Annotated[str, typer.Argument(help='When: minute hour day month weekday, "0 2 * * *".')],
    name: Annotated[
        str, typer.Option(help="One project has no two of a name; the same again changes it.")
    ] = "nightly",
    timezone: Annotated[
        str | None, typer.Option(help='Such as "Asia/Shanghai" (default: this machine\'s).')
    ] = None,
    ref: Annotated[
        str | None,
        typer.Option(help="Branch, tag or commit to run (default: the branch that is checked out now)."),
    ] = None,
    push: Annotated[bool, typer.Option("--push", help="`dvc push` after each run.")] = False,
    commit_lock: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="Commit dvc.lock and new .dvc files on this branch.")
    ] = None,
    on_new_data: Annotated[
        bool, typer.Option("--on-new-data", help="Look at each tick, run only where the data are new.")
    ] = False,
    watch: Annotated[
        Path | None, typer.Option(help="A folder whose files are the data of the run (`dvc add`).")
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="`dvc update` the imported data before each run.")
    ] = False,
    settle: Annotated[
        float, typer.Option(help="Seconds for which the watched folder must not change before a run.")
    ] = 60.0,
    json: Json = False,
) -> None:
    """Make a schedule, or change the one of that name. Needs a running `convoy up`."""
    from convoy import provenance
    from convoy.schedule import commits
    from convoy.schedule import cron as clock
    from convoy.schedule.plan import Plan

    root = _root()
    expression, zone = clock.check(cron), clock.zone(timezone)
    times = _upcoming(expression, zone)
    plan = Plan(
        name, ref or commits.current(root), push, commit_lock, on_new_data,
        None if watch is None else str(watch.expanduser().resolve()), fetch, settle,
    )  # fmt: skip
    commit = plan.check(root)
    with _connected(root) as server:
        new = server.add(plan, expression, zone)
        entry = server.get(name)
        workers = server.workers()
    if json:
        _server.show_json(_record(entry))
        return
    done = "made" if new else "changed"
    typer.echo(f"schedule {name} {done}: {expression} ({zone}), {plan.ref} is at {commit[:12]} now")
    _tell_times(times, zone, active=entry.active)
    folder = plan.folder(root)
    dirty = [path for path in provenance.git_state(root).changed if (root / path).resolve() != folder]
    if dirty:
        shown = ", ".join(dirty[:3]) + (" …" if len(dirty) > 3 else "")
        typer.echo(f"note: what is not committed is not part of the runs: {shown}")
    if not workers:
        typer.echo("note: no worker is there to start runs; `convoy up` has one")


@app.command("list")
def list_(json: Json = False) -> None:
    """The schedules of this project, with their next run and their last."""
    root = _root()
    with _connected(root) as server:
        found = server.all()
        last = {each.plan.name: next(iter(server.runs(each.plan.name, 1)), None) for each in found}
    if json:
        rows = []
        for each in found:
            run = last[each.plan.name]
            rows.append({**_record(each), "last": _plain(run) if run else None})
        _server.show_json(rows)
        return
    if not found:
        typer.echo('no schedules yet; `convoy schedule add "0 2 * * *"` makes one')
        return
    _server.show_table(
        ("name", "when", "time zone", "next", "runs", "last", "ended"),
        (
            (
                each.plan.name, each.cron, each.timezone,
                _clock(_upcoming(each.cron, each.timezone)[0]) if each.active else "paused",
                each.plan.ref, run.name if run else "", run.state if run else "",
            )
            for each in found
            for run in (last[each.plan.name],)
        ),
    )  # fmt: skip


@app.command()
def show(name: Name, json: Json = False) -> None:
    """All about one schedule: what it does, its next times, its last runs."""
    root = _root()
    with _connected(root) as server:
        entry = server.get(name)
        runs = server.runs(name, _RUNS)
    if json:
        _server.show_json({**_record(entry), "runs": [_plain(run) for run in runs]})
        return
    plan = entry.plan
    rows = [
        ("when", f"{entry.cron} ({entry.timezone}){'' if entry.active else ', paused'}"),
        ("runs", plan.ref),
        ("data", _data(entry)),
        ("afterwards", _afterwards(entry)),
    ]
    _server.show_table(("schedule", name), rows)
    _tell_times(_upcoming(entry.cron, entry.timezone), entry.timezone, active=entry.active)
    if runs:
        _server.show_table(
            ("run", "for", "state", "what came of it"),
            (
                (run.name, _clock(run.when.astimezone()) if run.when else "", run.state, run.said)
                for run in runs
            ),
        )


@app.command()
def pause(name: Name) -> None:
    """Make no runs until `resume`."""
    root = _root()
    with _connected(root) as server:
        server.set_active(name, active=False)
    typer.echo(f"schedule {name} is paused; a run that goes on is not ended")


@app.command()
def resume(name: Name) -> None:
    """Make runs again, from now on; what was missed is not made up for."""
    root = _root()
    with _connected(root) as server:
        server.set_active(name, active=True)
        entry = server.get(name)
    typer.echo(f"schedule {name} goes on")
    _tell_times(_upcoming(entry.cron, entry.timezone), entry.timezone, active=True)


@app.command()
def start(name: Name, json: Json = False) -> None:
    """A run now, beside those by the clock."""
    root = _root()
    with _connected(root) as server:
        number = server.start(name)
    if json:
        _server.show_json({"id": number})
        return
    typer.echo(
        f"a run of {name} waits for the worker ({number[:8]}); `convoy schedule show {name}` tells of it"
    )


@app.command()
def remove(name: Name) -> None:
    """Forget a schedule. Its past runs, its commits and its models stay."""
    from convoy.schedule import record

    root = _root()
    with _connected(root) as server:
        server.remove(name)
    record.forget(root, name)
    typer.echo(f"schedule {name} is removed")


def _root() -> Path:
    from convoy import environment

    root = environment.project_root()
    environment.apply(root)
    return root


@contextmanager
def _connected(root: Path) -> Iterator["Server"]:
    from convoy.schedule import deployments

    with deployments.server(root) as server:
        yield server


def _upcoming(cron: str, zone: str) -> "list[datetime]":
    from datetime import UTC, datetime

    from convoy.schedule import cron as clock

    return clock.upcoming(cron, zone, _NEXT, datetime.now(UTC))


def _tell_times(times: "list[datetime]", zone: str, *, active: bool) -> None:
    if active:
        typer.echo(f"next: {', '.join(map(_clock, times))} ({zone})")
    else:
        typer.echo("paused; `convoy schedule resume` goes on")


def _clock(moment: "datetime") -> str:
    return moment.strftime("%a %Y-%m-%d %H:%M")


def _data(entry: "Schedule") -> str:
    plan = entry.plan
    source = "as the commit pins them"
    if plan.watch:
        source = f"the files of {plan.watch}, once nothing has changed for {plan.settle:g} s"
    elif plan.fetch:
        source = "as `dvc update` brings them"
    return f"{source}; a run only where they are new" if plan.on_new_data else source


def _afterwards(entry: "Schedule") -> str:
    plan = entry.plan
    done = ["dvc push"] if plan.push else []
    done += [f"dvc.lock committed on {plan.commit_lock}"] if plan.commit_lock else []
    return ", ".join(done) or "nothing"


def _record(entry: "Schedule") -> dict[str, Any]:
    times = _upcoming(entry.cron, entry.timezone) if entry.active and entry.cron else []
    return {
        **asdict(entry.plan), "cron": entry.cron, "timezone": entry.timezone, "active": entry.active,
        "next": [each.isoformat() for each in times],
    }  # fmt: skip


def _plain(run: Any) -> dict[str, Any]:
    return {**asdict(run), "when": run.when.isoformat() if run.when else None}
