"""`convoy up`: the servers of a project or a team, under one Ctrl-C."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from convoy.stack.settings import Settings
    from convoy.standing import Standing

_IN_SIGHT = "everybody on this machine sees the password in the list of processes"


def up(
    context: typer.Context,
    host: Annotated[
        str, typer.Option(help="Others than loopback need passwords for all servers.")
    ] = "127.0.0.1",
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535)] = 5000,
    prefect_port: Annotated[int, typer.Option(min=1, max=65535)] = 4200,
    serve_port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    backend: Annotated[
        str | None,
        typer.Option(
            envvar="CONVOY_BACKEND",
            show_envvar=True,
            metavar="postgresql://USER@HOST:PORT/NAME",
            help="PostgreSQL instead of SQLite; databases NAME_mlflow and NAME_prefect are made. "
            "A password goes into PGPASSWORD, ~/.pgpass or CONVOY_BACKEND.",
        ),
    ] = None,
    artifacts: Annotated[
        str | None,
        typer.Option(
            envvar="CONVOY_ARTIFACTS",
            show_envvar=True,
            metavar="URI",
            help="Folder or bucket (s3://…) of MLflow's files; keys from AWS_… in the environment.",
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="One more name that the servers answer to, as behind a proxy.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="A file with the secret that requests to the served model must bear.")
    ] = None,
    serve: Annotated[bool, typer.Option(help="Serve the champion, as soon as there is one.")] = True,
    limit: Annotated[int, typer.Option(min=1, help="Flow runs that the worker runs at a time.")] = 4,
) -> None:
    """Start MLflow, Prefect, a worker and the served champion on this machine, until Ctrl-C.

    While it runs, every convoy command of this project uses these servers. Logs are in .convoy/logs.
    """
    from convoy import environment
    from convoy.stack import standing
    from convoy.stack.up import alone, stand

    root = environment.project_root()
    os.chdir(root)
    environment.quiet()
    environment.state_dir(root).mkdir(exist_ok=True)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))  # the terminal was closed
    with alone(root) as ours:
        if not ours:
            found = standing.find(root)
            if found is None:
                typer.echo("a stack of this project is being started by another process")
            else:
                typer.echo("the stack of this project stands already; options of this command had no effect")
                _show(found, root)
            return
        settings = _settings(context, root, host, (mlflow_port, prefect_port, serve_port), backend, artifacts,
                             tuple(allowed_host or ()), token_file, limit, serve)  # fmt: skip
        stand(
            settings,
            {**os.environ},
            serve=serve,
            say=lambda line: typer.echo(line, err=True),
            stands=lambda found: _stands(found, root),
        )


def _settings(
    context: typer.Context,
    root: Path,
    host: str,
    wanted: tuple[int, int, int],
    backend: str | None,
    artifacts: str | None,
    allowed: tuple[str, ...],
    token_file: Path | None,
    limit: int,
    serve: bool,
) -> "Settings":
    """Raises:
    ConfigError: an option cannot be; or the stack would be open to others.
    ResourceError: a port that was named is taken, or PostgreSQL cannot be reached.
    """
    from dataclasses import replace

    from convoy.config.load import load
    from convoy.errors import ConfigError
    from convoy.layout import PARAMS
    from convoy.stack import ports, postgres
    from convoy.stack.settings import Ports, Settings, check

    if backend and _given(context, "backend") and postgres.has_password(backend):
        raise ConfigError(
            _IN_SIGHT,
            where="--backend",
            fix="leave it out of --backend; set PGPASSWORD or CONVOY_BACKEND",
        )
    databases = postgres.databases(backend) if backend else None
    if databases and not databases.password and os.environ.get("PGPASSWORD"):
        databases = replace(databases, password=os.environ["PGPASSWORD"])
    settings = Settings(
        root=root,
        model=load(root / PARAMS).registration.model,
        host=host,
        ports=Ports(*wanted),
        databases=databases,
        artifacts=artifacts,
        allowed=allowed,
        token_file=token_file.resolve() if token_file else None,
        limit=limit,
    )
    check(settings, os.environ, serve=serve)
    names = ("mlflow", "prefect", "serve") if serve else ("mlflow", "prefect")
    chosen: dict[str, int] = {}
    for name, port in zip(names, wanted, strict=False):
        chosen[name] = ports.choose(
            name, host, port, insist=_given(context, f"{name}_port"), taken=chosen.values(),
            say=lambda line: typer.echo(line, err=True),
        )  # fmt: skip
    if backend:
        for name in postgres.make(backend):
            typer.echo(f"made the database {name}", err=True)
    return replace(settings, ports=Ports(**chosen))


def _given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _stands(found: "Standing", root: Path) -> None:
    _show(found, root)
    typer.echo("`convoy run` uses these servers now · Ctrl-C ends them")
    sys.stdout.flush()  # into a file or a pipe, too


def _show(found: "Standing", root: Path) -> None:
    from convoy.cli._server import show_table

    rows = [
        ("MLflow", found.mlflow, "runs and registered models"),
        ("Prefect", found.prefect_ui, "flow runs and schedules; its worker takes the pool `convoy`"),
        ("serve", found.serve or "–", "the champion" if found.serve else "no champion yet, or --no-serve"),
        ("backend", found.backend, f"logs: {root / '.convoy' / 'logs'}"),
    ]
    show_table(("", "where", "what"), rows)
