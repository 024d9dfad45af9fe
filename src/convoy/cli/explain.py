"""`convoy explain`: what became of a run, at the terminal."""

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from convoy import environment

if TYPE_CHECKING:
    from convoy.pipeline.explaining import Explanation

_LINES = 8


def explain(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Id, or name of the flow run or training (or its beginning); default: the last.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what became of a run: which stage, what cause, what to try."""
    from convoy.pipeline.explaining import explain as explained

    root = environment.project_root()
    os.chdir(root)
    environment.apply(root)
    found = explained(root, run)
    if json:
        from convoy.io import dump_json

        typer.echo(dump_json(found.as_dict()), nl=False)
    else:
        typer.echo("\n".join(_told(found)))


def _told(found: "Explanation") -> list[str]:
    lines = [f"{found.command} of {found.user}, {_moment(found.begun)}{_took(found)}  ({found.run})"]
    rows = [("status", f"{found.status}: {found.what}")]
    if found.stage:
        tries = f", try {found.attempts}" if found.attempts > 1 else ""
        rows.append(("stage", f"{found.stage}{tries}"))
    if found.training and (found.stage in ("", "train")):
        of = f" of {found.training.of}" if found.training.of else ""
        rows.append(
            ("train", f"{found.training.name}, {found.training.epochs}{of} epochs, {found.training.status}")
        )
    if found.message:
        rows.append(("said", found.message.replace("\n", "\n" + " " * 8)))
    if found.lines:
        rows.append(("last", ("\n" + " " * 8).join(found.lines[-_LINES:])))
    rows += [("with", each) for each in found.beside]
    if found.stages and found.status != "done":
        rows.append(("stages", ", ".join(f"{name} {how}" for name, how in found.stages.items())))
    if found.fix and found.fix not in found.message:
        rows.append(("try", found.fix))
    return lines + [f"{name:<6}  {text}" for name, text in rows]


def _took(found: "Explanation") -> str:
    if found.status == "running":
        return f", for {time.time() - found.begun:.0f} s"
    return f", {found.ended - found.begun:.0f} s" if found.ended is not None else ""


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
