"""`convoy data`: fetch a data set."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Get data.")


@app.callback()
def _group() -> None:
    """Keeps `get` a subcommand while it is the only one."""


@app.command()
def get(name: Annotated[str, typer.Argument(help="A known data set: mnist5k.")]) -> None:
    """Write a known data set to data/raw and compare it with the hash that its .dvc file pins (exit 4)."""
    from convoy import environment
    from convoy.data import fetch
    from convoy.pipeline import dag

    root = environment.project_root()
    environment.apply(root)
    folder = fetch.get(name, root)
    dag.keep(root, folder)
    typer.echo(f"{name}: {folder.relative_to(root)}")
