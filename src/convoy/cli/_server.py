"""What the commands about runs and models share: the way to MLflow, and how tables and JSON are shown."""

import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from convoy.config.schema import Config


def project() -> tuple[Path, "Config"]:
    """Root and parameters of the project that this is; the environment is set.

    Raises:
        ConfigError: this is no project, or its parameters are wrong.
    """
    from convoy import environment
    from convoy.config.load import load
    from convoy.layout import PARAMS

    root = environment.project_root()
    environment.apply(root)
    return root, load(root / PARAMS)


def reach() -> tuple[Path | None, Any]:
    """Root (None outside of a project) and a client of the MLflow of the project or of MLFLOW_TRACKING_URI.

    Raises:
        ConfigError: neither is there.
        ResourceError: the server cannot be reached.
    """
    from convoy.registry.client import connect

    root = _located()
    return root, connect(root)


def reach_runs() -> tuple[Path | None, Any]:
    """The same for commands that read runs: without MLflow, whose import takes seconds, where that can be.

    Raises:
        ConfigError: neither is there.
        ResourceError: the server cannot be reached.
    """
    from convoy.registry.stored import reader

    root = _located()
    return root, reader(root)


def _located() -> Path | None:
    """The project's root, None outside of one; the environment is set."""
    from convoy import environment
    from convoy.errors import ConfigError

    try:
        root = environment.project_root()
    except ConfigError:
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            raise
        environment.quiet()
        return None
    environment.apply(root)
    return root


def show_json(value: Any) -> None:
    from convoy.io import dump_json

    typer.echo(dump_json(value), nl=False)


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """A table on the terminal; None is an empty cell."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*("" if cell is None else _plain(cell) for cell in row))
    width = None if Console().is_terminal else 160
    Console(width=width, highlight=False).print(table)


def moment(milliseconds: int | None) -> str:
    """Local time of an MLflow timestamp."""
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def _plain(cell: object) -> str:
    from rich.markup import escape

    return escape(f"{cell:.4f}" if isinstance(cell, float) else str(cell))
