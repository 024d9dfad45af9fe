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
def sync(
    everything: Annotated[
        bool, typer.Option("--all", help="Look at what was sent before, too: the server lost its data.")
    ] = False,
    json: Json = False,
) -> None:
    """Send to MLflow whatever it lacks of the artifacts and journals that lie here; sends nothing twice."""
    from convoy.layout import TRAIN
    from convoy.registry import tracking

    root, config = _server.project()
    earlier = tracking.send_waiting(root, config, everything=everything)
    trained = (root / TRAIN / "training.json").is_file() or not earlier
    run_id = tracking.sync(root, config) if trained else None
    others = [each for each in earlier if each != run_id]
    if json:
        _server.show_json({"run_id": run_id, "earlier": others})
        return
    if others:
        typer.echo(f"earlier trainings that MLflow has now: {', '.join(others)}")
    if run_id:
        typer.echo(f"MLflow has it all: run {run_id}")


def runs(
    experiment: Experiment = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest.")] = 20,
    json: Json = False,
) -> None:
    """The runs, the newest first: status, the parameters that differ, the test metrics."""
    from convoy.registry import listing

    client, name = _connected(experiment)
    found = [listing.summary(run) for run in listing.recent(client, name, limit)]
    if json:
        _server.show_json(found)
        return
    if not found:
        typer.echo("no runs yet; `convoy run` makes one")
        return
    params = list(listing.differing([run["params"] for run in found]))[:_PARAMS]
    metrics = [m for m in listing.MAIN_METRICS if any(m in run["metrics"] for run in found)]
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
    root, client = _server.reach_runs()
    if experiment is None and root is not None:
        experiment = _experiment(root)
    return client, experiment


def _experiment(root: Path) -> str | None:
    """The project's, of params.yaml alone: to check all of that takes as long as everything else here."""
    from convoy.layout import PARAMS
    from convoy.provenance import read_yaml

    section = read_yaml(root / PARAMS).get("tracking")
    name = section.get("experiment") if isinstance(section, dict) else None
    return name if isinstance(name, str) else None
