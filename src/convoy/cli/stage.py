"""`convoy stage`: one stage, as dvc.yaml calls it, with what surrounds it: checks, locks, the mirror."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convoy import environment
from convoy.cli import mirroring, resuming
from convoy.errors import ConfigError, ConvoyError
from convoy.layout import PARAMS, STATE

if TYPE_CHECKING:
    from convoy.config.schema import Config

STAGES = ("ingest", "validate", "split", "prepare", "augment", "train", "evaluate", "package")


def stage(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(STAGES)}.")],
    allow_inexact_resume: resuming.Inexact = False,
    restart_training: resuming.Restart = False,
) -> None:
    """Run one stage on the artifacts of those before it (what dvc.yaml calls)."""
    from convoy import io
    from convoy.cli.system_errors import as_convoy
    from convoy.pipeline.repro import FAILURE

    if name not in STAGES:
        raise ConfigError(f"no stage is called {name!r}", fix=f"choose one of: {', '.join(STAGES)}")
    root = environment.project_root()
    os.chdir(root)
    environment.apply(root)
    resuming.ask(allow_inexact_resume, restart_training)
    try:
        _run(name, root)
    except (ConvoyError, OSError) as error:
        known = as_convoy(error)
        if known is not None and FAILURE in os.environ:
            with suppress(OSError):  # on a full disk the output alone tells: `repro` reads it
                io.write_json(Path(os.environ[FAILURE]), {"code": known.exit_code, "message": str(known)})
        raise


def _run(name: str, root: Path) -> None:
    import importlib

    from filelock import FileLock

    from convoy.cli.watch import dvc_above, end_with_callers
    from convoy.config.load import load
    from convoy.pipeline import code, lease

    end_with_callers()
    lease.beside(root, *(dvc_above() or (os.getpid(), f"convoy stage {name}")))
    config = load(PARAMS)
    code.check(root, name)
    locks = STATE / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    # A stage whose flow was killed may still be ending: it and its successor must not write side by side.
    # The nodes of one training share the folder, and are there at once.
    several = name == "train" and config.train.distributed.nodes > 1
    node = os.environ.get("NODE_RANK", "0") if several else "0"
    with FileLock(locks / (f"stage-{name}.lock" if node == "0" else f"stage-{name}-node{node}.lock")):
        main = importlib.import_module(f"convoy.stages.{name}").main
        if name == "train":
            _train(main, config)
        else:
            main(config)
    if name == "evaluate":
        _mirror_evaluation(root, config)


def _train(main: Callable[..., None], config: "Config") -> None:
    """Train with the MLflow mirror beside it, which training never waits for."""
    from convoy.pipeline import gpus

    with gpus.leased(gpus.wanted(config.train), "convoy stage train", typer.echo):
        main(config, partial(mirroring.beside, experiment=config.tracking.experiment))


def _mirror_evaluation(root: Path, config: "Config") -> None:
    """The stage has done its work whether or not the tracking server answers."""
    from convoy.registry import outbox, tracking

    try:
        tracking.sync(root, config)
    except Exception as error:  # noqa: BLE001  # whatever MLflow makes of a server in trouble
        typer.echo(f"{error}\n  `convoy track sync` sends the results later", err=True)
        try:
            outbox.keep_evaluation(root)
        except OSError as full:
            typer.echo(f"  they could not be put aside, so before the next training: {full}", err=True)
