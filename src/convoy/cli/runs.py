"""`convoy runs`, `convoy compare` and `convoy track`: what MLflow knows, at the terminal."""

from typing import Annotated, Any

import typer

from convoy.cli import _server

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
    from convoy.registry import comparing

    client, name = _connected(experiment)
    found = [comparing.summary(run) for run in comparing.recent(client, name, limit)]
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
    json: Json = False,
) -> None:
    """Runs side by side: parameters that differ, metrics with differences to the first, origins."""
    from convoy.errors import ConfigError
    from convoy.registry import comparing

    if len(wanted) < 2:
        raise ConfigError("one run is nothing to compare", fix="name two or more: `convoy compare A B`")
    client, name = _connected(experiment)
    table = comparing.compare([comparing.find(client, name, each) for each in wanted])
    if json:
        _server.show_json(table)
        return
    names = [f"{run['name']}\n{run['id'][:8]} {run['status'].lower()}" for run in table["runs"]]
    _server.show_table(("parameter", *names), _rows(table["params"]), "Parameters that differ")
    _server.show_table(
        ("metric", *names), ((n, *_with_difference(m)) for n, m in table["metrics"].items()), "Metrics"
    )
    if table["provenance"]:
        _server.show_table(("origin", *names), _rows(table["provenance"]), "Origins that differ")


def _connected(experiment: str | None) -> tuple[Any, str | None]:
    """The client and the experiment's name; outside of a project, None: all experiments."""
    root, client = _server.reach()
    if experiment is None and root is not None:
        experiment = _server.project()[1].tracking.experiment
    return client, experiment


def _rows(table: dict[str, list[Any]]) -> list[tuple[Any, ...]]:
    if not table:
        return [("none",)]
    return [(name, *(_short(value) for value in values)) for name, values in table.items()]


def _short(value: Any) -> Any:
    """Digests are told apart by their first twelve digits."""
    digest = isinstance(value, str) and len(value) >= 32 and not set(value) - set("0123456789abcdef")
    return value[:12] if digest else value


def _with_difference(metric: dict[str, list[float | None]]) -> list[str | None]:
    cells: list[str | None] = []
    for n, (value, difference) in enumerate(zip(metric["values"], metric["difference"], strict=True)):
        if value is None:
            cells.append(None)
        else:
            cells.append(f"{value:.4f}" + (f" ({difference:+.4f})" if n and difference is not None else ""))
    return cells
