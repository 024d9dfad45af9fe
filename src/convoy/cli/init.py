"""`convoy init`: from a folder, an archive or a table to a project that runs."""

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
        typer.Argument(
            help="Folder, archive (zip, tar), table (CSV, TSV, Parquet), file of lines `label text`, "
            "export or .npz file; with --from the project's folder."
        ),
    ] = None,
    into: Annotated[Path | None, typer.Option(help="The project's folder (default: this one).")] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="The data: `convoy init DIR --from DATA`.")
    ] = None,
    modality: Annotated[
        str | None,
        typer.Option(help="What a sample is, where the data could be several things: image, text, …"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the model (default: from the data's name).")] = None,
    target: Annotated[str | None, typer.Option(help="A table's column with the label.")] = None,
    image_col: Annotated[str | None, typer.Option(help="A table's column with the picture's path.")] = None,
    text_col: Annotated[str | None, typer.Option(help="A table's column with the text.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of files of lines, such as latin-1.")] = None,
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
    if origin is not None:
        if data is not None and into is not None:
            raise ConfigError("the project's folder is named twice", where="--into", fix="leave out --into")
        data, into = origin, data or into
    if data is None:
        raise ConfigError("which data?", fix="convoy init FOLDER")
    from convoy.scaffold import project
    from convoy.scaffold.columns import Wishes

    made = project.create(
        data,
        into or Path(),
        wishes=Wishes(image_col, target, group_col, split_col, time_col, text_col, modality, encoding),
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
    seen, counts = made.seen, made.seen.counts
    if seen.task == "classification":
        given = [side for side in ("train", "val", "test") if seen.given and counts[side].any()]
        order = (
            counts.sort_values("all", ascending=False, kind="stable") if len(counts) > _MOST_ROWS else counts
        )
        rows = [
            (
                str(name), f"{row['all']:,}", f"{row['all'] / max(1, seen.samples):.1%}",
                *(f"{row[side]:,}" for side in given),
            )
            for name, row in order.head(_MOST_ROWS).iterrows()
        ]  # fmt: skip
        _server.show_table(
            ("class", made.part.NOUN, "share", *given),
            rows,
            f"{seen.samples:,} {made.part.NOUN} in {len(counts)} classes",
        )
        if len(counts) > _MOST_ROWS:
            typer.echo(f"… and {len(counts) - _MOST_ROWS} smaller classes")
    project = made.project
    here = project == Path.cwd()
    typer.echo(f"contact sheet: {made.sheet if here else project / made.sheet}")
    typer.echo(f"data:          {made.path}{' (where they were)' if made.in_place else ''}")
    if made.choices is not None:
        typer.echo(f"params.yaml:   {made.part.told(made.choices)}")
    for note in made.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"next: {'' if here else f'cd {shlex.quote(str(project))} && '}convoy run")
