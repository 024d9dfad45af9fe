"""`convoy model`: what the configured network is made of."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convoy.layout import PARAMS, PREPARE

if TYPE_CHECKING:
    from convoy.config.schema import Config
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
    from convoy.config.model import fitted
    from convoy.errors import ConfigError
    from convoy.models._summary import summarise
    from convoy.training import network

    if out is not None and out.suffix not in (".svg", ".png"):
        raise ConfigError(f"cannot draw into {out.name}", where="--out", fix="name a file .svg or .png")
    environment.quiet()
    config = load(params)
    outputs = _outputs()
    spec = config.prepare
    if fitted(config.model):
        _show_fitted(config, as_json=as_json, out=out)
        return
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


def _show_fitted(config: "Config", *, as_json: bool, out: Path | None) -> None:
    """What is known of a model that is fitted at once; of its sizes what the last training left."""
    from convoy import plugins
    from convoy.errors import ConfigError
    from convoy.models._classical.body import Classical
    from convoy.training import network

    if out is not None:
        raise ConfigError(
            f"{config.model.name} has no layers to draw: features, and one classifier on them",
            where="--out",
            fix="leave --out away",
        )
    preparing = plugins.load("preparing", config.data.modality)
    preprocessor = _prepared()
    if preprocessor is None or preprocessor.get("modality") != config.data.modality:
        preprocessor = preparing.stand_in(config.prepare, [""] * _OUTPUTS)
    body = network.build(config.model, preprocessor, pretrained=False).body
    assert isinstance(body, Classical)
    section = config.model.model_dump()
    classifier = section.pop("classifier")
    sizes = _fitted_sizes(section["name"], classifier["name"])
    told = {
        "model": section["name"],
        "features": body.features.width,
        "learned_features": body.features.learns,
        "settings": section,
        "classifier": classifier,
        "outputs": len(preprocessor["classes"]),
        "fitted": sizes,
    }
    if as_json:
        typer.echo(json.dumps(told, indent=2))
        return
    width = body.features.width
    count = "as many features as the fit finds" if width is None else f"{width:,} features"
    learned = "learned on the training split" if body.features.learns else "computed"
    typer.echo(f"{section['name']}: {count}, {learned}")
    chosen = ", ".join(f"{name} {value}" for name, value in classifier.items() if name != "name")
    typer.echo(f"{classifier['name']}{f' ({chosen})' if chosen else ''}: {told['outputs']} outputs")
    typer.echo("fitted at once: no epochs, no optimiser (docs/classical.md)")
    if sizes is None:
        typer.echo("its size is known after the fit; nothing is fitted yet")
    for name, shape in (sizes or {}).items():
        typer.echo(f"  {name}  {'×'.join(map(str, shape))}")


def _fitted_sizes(model: str, classifier: str) -> dict[str, list[int]] | None:
    """Of the tensors of the last training, where that was of this model and classifier."""
    from safetensors import safe_open

    from convoy.io import read_json
    from convoy.layout import TRAIN

    record, weights = TRAIN / "training.json", TRAIN / "model.safetensors"
    if not record.is_file() or not weights.is_file():
        return None
    section = read_json(record)["model"]
    if (section["name"], section.get("classifier", {}).get("name")) != (model, classifier):
        return None
    with safe_open(weights, "pt") as held:
        return {name: list(held.get_slice(name).get_shape()) for name in sorted(held.keys())}


def _prepared() -> dict[str, Any] | None:
    """The preprocessor of the prepared data; None where there are none."""
    from convoy.io import read_json

    path = PREPARE / "preprocessor.json"
    return read_json(path) if path.is_file() else None


def _outputs() -> int | None:
    """The number of classes of the prepared data; None where there are none."""
    found = _prepared()
    return len(found["classes"]) if found else None


def _vocabulary() -> list[str] | None:
    """Of the prepared data; None where there are none."""
    found = _prepared()
    return found.get("vocabulary") if found else None


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
