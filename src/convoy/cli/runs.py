"""`convoy runs`, `convoy compare` and `convoy track`: what MLflow knows, at the terminal."""

from pathlib import Path
from typing import Annotated, Any

import typer

from convoy.cli import _comparison, _server

track = typer.Typer(no_args_is_help=True, help="MLflow and the artifacts.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Experiment = Annotated[str | None, typer.Option(help="MLflow experiment (default: the project's).")]
_PARAMS = 6


@track.callback()
def _group() -> None:
    """Keeps `sync` a subcommand while it is the only one."""


@track.command()
def sync(json: Json = False) -> None:
    """Send to MLflow whatever it lacks of the artifacts and journals that lie here."""
    from convoy.registry import tracking

    root, config = _server.project()
    run_id = tracking.sync(root, config)
    if json:
        _server.show_json({"run_id": run_id})
    else:
        typer.echo(f"MLflow has it all: run {run_id}")


def runs(
    experiment: Experiment = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest.")] = 20,
    json: Json = False,
) -> None:
    """The runs, the newest first: status, the parameters that differ, the test metrics."""
    from convoy.registry import collecting, comparing

    client, name = _connected(experiment)
    found = [comparing.summary(run) for run in collecting.recent(client, name, limit)]
    if json:
        _server.show_json(found)
        return
    if not found:
        typer.echo("no runs yet; `convoy run` makes one")
        return
    params = list(comparing.differing([run["params"] for run in found]))[:_PARAMS]
    metrics = [m for m in comparing.MAIN_METRICS if any(m in run["metrics"] for run in found)]
    _server.show_table(
        ("run", "id", "status", "started", "model", *params, *metrics),
        (
            (
                run["name"], run["id"][:8], run["status"].lower(), _server.moment(run["started"]),
                run["model"],
                *(run["params"].get(p) for p in params), *(run["metrics"].get(m) for m in metrics),
            )
            for run in found
        ),
    )  # fmt: skip


def compare(
    wanted: Annotated[
        list[str],
        typer.Argument(metavar="A B…", help="Ids, beginnings of ids, names, versions."),
    ],
    experiment: Experiment = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the samples that changed sides to this page.")
    ] = None,
    json: Json = False,
) -> None:
    """Runs or versions side by side: only what differs, metrics with paired intervals, who is right now."""
    client, name = _connected(experiment)
    _comparison.show(client, name, wanted, json=json, html=html)


def _connected(experiment: str | None) -> tuple[Any, str | None]:
    """The client and the experiment's name; outside of a project, None: all experiments."""
    root, client = _server.reach()
    if experiment is None and root is not None:
        experiment = _server.project()[1].tracking.experiment
    return client, experiment
