"""`convoy data`: fetch a data set, and find the models that learned from a sample."""

from typing import Annotated

import typer

from convoy.cli import _server

app = typer.Typer(no_args_is_help=True, help="Get data, and follow them into the models.")


@app.command()
def get(name: Annotated[str, typer.Argument(help="A known data set: mnist5k.")]) -> None:
    """Write a known data set to data/raw and compare it with the hash that its .dvc file pins (exit 4)."""
    from convoy import environment
    from convoy.data import fetch

    root = environment.project_root()
    environment.apply(root)
    folder = fetch.get(name, root)
    typer.echo(f"{name}: {folder.relative_to(root)}")


@app.command()
def where(
    sample: Annotated[
        str, typer.Argument(help="A picture file, a path of the sample table, an id or 4 digits.")
    ],
    model: Annotated[
        str | None, typer.Option(help="Only this model's versions (default: all models).")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Every registered version that learned from a sample or was tested on it (exit 4: one is unreadable)."""
    from convoy.errors import IntegrityError
    from convoy.registry import lineage

    root, client = _server.reach()
    found = lineage.where(client, sample, root, model)
    if json:
        _server.show_json(found.as_dict())
    else:
        learned = sum(use.learned for use in found.uses)
        named = found.ids[0] if len(found.ids) == 1 else sample
        if found.uses:
            _server.show_table(
                ("model", "version", "aliases", "split", "label", ""),
                (
                    (
                        use.name, use.version, ", ".join(use.aliases), use.split, use.target,
                        "learned from it" if use.learned else "tested on it",
                    )
                    for use in found.uses
                ),
            )  # fmt: skip
        typer.echo(f"{named}: {learned} of {found.searched} versions learned from it")
    if found.unreadable:
        raise IntegrityError(
            f"the samples of {len(found.unreadable)} versions cannot be read; they may know it too",
            where="; ".join(found.unreadable),
            fix="restore the artifact store, then ask again",
        )
