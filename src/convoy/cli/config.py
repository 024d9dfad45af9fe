"""`convoy config`: check params.yaml, show it resolved, write its schema."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from convoy.layout import PARAMS

app = typer.Typer(no_args_is_help=True, help="Check, show or describe params.yaml.")

_Params = Annotated[Path, typer.Argument(help="A parameters file.")]


@app.command()
def check(params: _Params = PARAMS) -> None:
    """Check every key, and build the augmentation policy and the network. Exit 2 where something is wrong."""
    from convoy import environment
    from convoy.config.load import load
    from convoy.pipeline.preflight import preflight

    environment.quiet()
    preflight(load(params))
    typer.echo(f"{params} is well-formed")


@app.command()
def show(
    params: _Params = PARAMS,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of YAML.")] = False,
) -> None:
    """Print the checked parameters with their defaults filled in."""
    from ruamel.yaml import YAML

    from convoy.config import combinations
    from convoy.config.load import load

    config = load(params)
    plain = config.model_dump(by_alias=True)
    own = combinations.checks(config.data.modality)  # those of other modalities would be refused
    plain["validate"]["checks"] = {name: plain["validate"]["checks"][name] for name in own}
    if as_json:
        typer.echo(json.dumps(plain, indent=2, ensure_ascii=False))
    else:
        YAML().dump(plain, sys.stdout)


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to a file.")] = None,
) -> None:
    """The JSON Schema of params.yaml, as editors use it."""
    from convoy import io
    from convoy.config.schema import Config

    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
    if out is None:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        io.write_json(out, document)
        typer.echo(f"written: {out}")
