"""`convoy model`: what the configured network is made of."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convoy.layout import PARAMS, PREPARE

if TYPE_CHECKING:
    from convoy.models._summary import Row, Summary

app = typer.Typer(no_args_is_help=True, help="Look at the configured network.")

_OUTPUTS = 10  # where no data tell


@app.callback()
def _group() -> None:
    """Makes `show` a command of its own."""


@app.command()
def show(
    params: Annotated[Path, typer.Argument(help="A parameters file.")] = PARAMS,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Draw the network into this .svg or .png file.")
    ] = None,
) -> None:
    """The layers: shapes, parameters, multiply-adds, receptive fields. Needs no data."""
    import torch

    from convoy import environment, plugins
    from convoy.config.data import PrepareConfig, TextPrepareConfig
    from convoy.config.load import load
    from convoy.errors import ConfigError
    from convoy.models._summary import summarise
    from convoy.training import network

    if out is not None and out.suffix not in (".svg", ".png"):
        raise ConfigError(f"cannot draw into {out.name}", where="--out", fix="name a file .svg or .png")
    environment.quiet()
    config = load(params)
    outputs = _outputs()
    spec = config.prepare
    if not isinstance(spec, PrepareConfig | TextPrepareConfig):
        raise ConfigError(
            f"`convoy model show` knows networks for pictures and texts, not for {config.data.modality}",
            where="params.yaml: data.modality",
            fix="nothing is to be mended: train it, `convoy run` checks the model first",
        )
    preparing = plugins.load("preparing", config.data.modality)
    restores = {"reconstructs": config.objective.name == "reconstruction"}
    preprocessor = {**preparing.stand_in(spec, [""] * (outputs or _OUTPUTS)), **restores}
    net = network.build(config.model, preprocessor, pretrained=False)
    if isinstance(spec, PrepareConfig):
        summary = summarise(net.body, (spec.channels, spec.height, spec.width))
        of = f"pictures of {'×'.join(map(str, summary.shape))}"
    else:
        words = _vocabulary() or preprocessor["vocabulary"]
        net = network.build(config.model, {**preprocessor, "vocabulary": words}, pretrained=False)
        summary = summarise(net.body, (spec.max_length,), torch.int64)
        of = f"texts of {spec.max_length} tokens, {len(words):,} of them known"
    if out is not None:
        from convoy.models._drawing import draw

        draw(summary, config.model.name, out)
    if as_json:
        typer.echo(json.dumps({"model": config.model.name, **summary.as_dict()}, indent=2))
    else:
        _print(config.model.name, summary, of)
        if outputs is None:
            typer.echo(f"{_OUTPUTS} outputs are assumed: no data are prepared yet")
        if out is not None:
            typer.echo(f"written: {out}")


def _outputs() -> int | None:
    """The number of classes of the prepared data; None where there are none."""
    from convoy.io import read_json

    path = PREPARE / "preprocessor.json"
    return len(read_json(path)["classes"]) if path.is_file() else None


def _vocabulary() -> list[str] | None:
    """Of the prepared data; None where there are none."""
    from convoy.io import read_json

    path = PREPARE / "preprocessor.json"
    return read_json(path).get("vocabulary") if path.is_file() else None


def _print(name: str, summary: "Summary", of: str) -> None:
    heads: tuple[str, ...] = ("layer", "name", "type", "output", "parameters", "multiply-adds", "sees")
    table = [heads, *(_cells(row) for row in summary.rows)]
    if len(summary.shape) != 3:  # no picture: nothing has a field that it sees
        table = [line[:-1] for line in table]
        heads = heads[:-1]
    widths = [max(len(line[column]) for line in table) for column in range(len(heads))]
    for line in table:
        cells = [
            cell.rjust(width) if column in (0, 4, 5) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())
    typer.echo(
        f"{name} for {of}: {summary.parameters:,} parameters, {summary.multiply_adds:,} multiply-adds for one"
    )


def _cells(row: "Row") -> tuple[str, ...]:
    return (
        "" if row.depth is None else str(row.depth),
        row.name,
        row.kind,
        "×".join(map(str, row.shape)),
        f"{row.parameters:,}" if row.parameters else "",
        f"{row.multiply_adds:,}" if row.multiply_adds else "",
        "all" if row.sees is None else f"{row.sees[0]}×{row.sees[1]}",
    )
