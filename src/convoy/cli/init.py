"""`convoy init`: from a folder of pictures to a project that runs."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convoy.cli import _server
from convoy.errors import ConfigError

if TYPE_CHECKING:
    from convoy.scaffold.project import Made

_MOST_ROWS = 40


def init(
    data: Annotated[
        Path | None,
        typer.Argument(help="Folder, archive (zip, tar), table (CSV, TSV, Parquet), export or .npz file."),
    ] = None,
    into: Annotated[Path, typer.Option(help="The project's folder.")] = Path(),
    name: Annotated[str | None, typer.Option(help="Of the model (default: from the data's name).")] = None,
    target: Annotated[str | None, typer.Option(help="A table's column with the label.")] = None,
    image_col: Annotated[str | None, typer.Option(help="A table's column with the picture's path.")] = None,
    group_col: Annotated[
        str | None, typer.Option(help="A table's column whose equal values stay on one side of the split.")
    ] = None,
    split_col: Annotated[str | None, typer.Option(help="A table's column with train, val or test.")] = None,
    time_col: Annotated[str | None, typer.Option(help="A table's column with the time.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Start from a recipe of convoy's, or a file.")] = None,
    in_place: Annotated[
        bool | None,
        typer.Option(
            "--in-place/--copy",
            help="Leave the data where they lie, or copy them (default: leave what lies in the project).",
        ),
    ] = None,
    no_git: Annotated[bool, typer.Option("--no-git", help="Make no git repository.")] = False,
    refresh: Annotated[
        bool,
        typer.Option(
            "--refresh", help="Bring this project's graph, flow and pins up to the installed convoy."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at data, recognise what they are, and make a project of them; then `convoy run` does the rest."""
    if refresh:
        _refresh(json=json)
        return
    if data is None:
        raise ConfigError("which data?", fix="convoy init FOLDER")
    from convoy.scaffold import project
    from convoy.scaffold.columns import Wishes

    made = project.create(
        data,
        into,
        wishes=Wishes(image_col, target, group_col, split_col, time_col),
        name=name,
        recipe=recipe,
        in_place=in_place,
        git=not no_git,
        command=_command(),
        say=lambda text: typer.echo(text, err=True),
    )
    if json:
        _server.show_json(made.as_dict())
    else:
        _show(made)


def _command() -> str:
    """As the user typed it."""
    return shlex.join(["convoy", *sys.argv[1:]])


def _refresh(*, json: bool) -> None:
    from convoy import environment
    from convoy.scaffold import originals

    changed = originals.refresh(environment.project_root())
    if json:
        _server.show_json({"changed": changed})
    else:
        typer.echo(
            "\n".join(changed) if changed else "nothing to refresh: this is the installed convoy's already"
        )


def _show(made: "Made") -> None:
    from convoy.scaffold.project import SHEET

    seen, counts = made.seen, made.seen.counts
    if seen.task == "classification":
        given = [side for side in ("train", "val", "test") if seen.given and counts[side].any()]
        order = (
            counts.sort_values("all", ascending=False, kind="stable") if len(counts) > _MOST_ROWS else counts
        )
        rows = [
            (
                str(name), f"{row['all']:,}", f"{row['all'] / max(1, seen.pictures):.1%}",
                *(f"{row[side]:,}" for side in given),
            )
            for name, row in order.head(_MOST_ROWS).iterrows()
        ]  # fmt: skip
        _server.show_table(
            ("class", "pictures", "share", *given),
            rows,
            f"{seen.pictures:,} pictures in {len(counts)} classes",
        )
        if len(counts) > _MOST_ROWS:
            typer.echo(f"… and {len(counts) - _MOST_ROWS} smaller classes")
    project = made.project
    here = project == Path.cwd()
    typer.echo(f"contact sheet: {SHEET if here else project / SHEET}")
    typer.echo(f"data:          {made.path}{' (where they were)' if made.in_place else ''}")
    if made.choices is not None:
        side, epochs = made.choices.side, made.choices.epochs
        kind = "grey" if made.choices.channels == 1 else "colour"
        typer.echo(f"params.yaml:   {side} px, {kind}, {epochs} epochs, {made.choices.duration}")
    for note in made.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"next: {'' if here else f'cd {shlex.quote(str(project))} && '}convoy run")
