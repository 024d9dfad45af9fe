"""`convoy folds`: cross-validation of the configured training."""

from typing import TYPE_CHECKING, Annotated

import typer

from convoy.cli import _server
from convoy.errors import ConfigError

if TYPE_CHECKING:
    from convoy.folds.results import Result


def folds(
    count: Annotated[
        int | None, typer.Option("--folds", "-k", min=2, max=100, help="How many (default: split.folds).")
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Repeat with these seeds of split and training, such as 0,1,2.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train and evaluate once for each fold: every sample is predicted by a model that did not see it.

    What is fitted (vocabulary, statistics, weights) is fitted anew on each fold's training part. Works in
    .convoy/folds and leaves the project's artifacts alone. A command that was ended goes on with what it had
    finished. In MLflow: a parent run, a child run for each fold.
    """
    from convoy.folds import conduct

    root, config = _server.project()
    found = conduct.conduct(
        root, config, count=count, seeds=_seeds(seeds), say=lambda line: typer.echo(line, err=True)
    )
    if json:
        _server.show_json(found.as_dict())
    else:
        _show(found)


def _seeds(text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise ConfigError(
            f"{text!r} are no seeds", where="--seeds", fix="whole numbers: --seeds 0,1,2"
        ) from None
    if any(seed < 0 for seed in found):
        raise ConfigError("a seed is below 0", where="--seeds", fix="whole numbers: --seeds 0,1,2")
    return found


def _show(found: "Result") -> None:
    rival = f"baseline_{found.metric}"
    others = [name for name in (found.metric, "macro_f1", "log_loss", rival) if name in found.table]
    shown = list(dict.fromkeys(others))
    several = len(found.seeds) > 1
    rows = [
        (
            *((str(int(row["seed"])),) if several else ()),
            str(int(row["fold"]) + 1), f"{int(row['samples']):,}", *(f"{row[name]:.4f}" for name in shown),
        )
        for _, row in found.table.iterrows()
    ]  # fmt: skip
    for name, values in (("mean", found.mean), ("sd", found.sd)):
        cells = (f"{values[each]:.4f}" if each in values else "" for each in shown)
        rows.append((*(("",) if several else ()), name, "", *cells))
    _server.show_table((*(("seed",) if several else ()), "fold", "samples", *shown), rows)
    for seed, mean in found.seeds:
        typer.echo(f"seed {seed}: mean {found.metric} {mean:.4f}")
    if found.metric in found.interval:
        low, high = found.interval[found.metric]
        typer.echo(
            f"out of fold: {found.metric} {found.pooled[found.metric]:.4f} "
            f"[{low:.4f}, {high:.4f}] ({found.confidence:.0%}, over the samples)"
        )
    typer.echo(f"predictions: {found.folder / 'predictions.parquet'}")
