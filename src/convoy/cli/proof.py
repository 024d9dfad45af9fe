"""`convoy reproduce` and `convoy verify`: that a model can be rebuilt, and that nothing was altered."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convoy.cli import _server

if TYPE_CHECKING:
    from convoy.proof.audit import Progress
    from convoy.proof.reproduce import Reproduction

_SHOWN = 10

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def reproduce(
    model: Annotated[str, typer.Argument(help="models:/NAME@ALIAS or NAME/VERSION.")],
    keep: Annotated[
        Path | None, typer.Option(help="Put the worktree into this new folder and leave it there.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="Largest difference of a probability that still counts.", min=0.0, max=1.0)
    ] = 0.01,
    json: Json = False,
) -> None:
    """Rebuild a registered version from its commit and its data, and compare (exit 4 when it differs).

    Runs every stage again in a git worktree of its own, without any cache. It ends with bit-identical, within
    tolerance, or the first stage and file that differ.
    """
    from convoy import environment
    from convoy.pipeline.rebuild import rebuild
    from convoy.registry.client import connect

    root = environment.project_root()
    environment.apply(root)
    keep = keep.resolve() if keep is not None else None
    told = rebuild(
        root,
        connect(root),
        model,
        tolerance=tolerance,
        keep=keep,
        say=lambda text: typer.echo(text, err=True),
    )
    if json:
        _server.show_json(told.as_dict())
    else:
        _show(told)
    if told.verdict == "different":
        raise _different(told)


def verify(json: Json = False) -> None:
    """Hash data, cache, outputs, bundles and ledger again, by content; names what was altered (exit 4)."""
    from convoy import environment
    from convoy.proof import verify as verifying
    from convoy.registry import client as connection

    root = environment.project_root()
    environment.apply(root)
    uri = connection.tracking_uri(root)
    database = connection.database_file(uri)
    client = connection.connect(root) if database is None or database.exists() else None
    with _progress() as progress:
        report = verifying.verify(root, client, uri, progress)
    if json:
        _server.show_json(report.as_dict())
    else:
        _server.show_table(
            ("checked", "", "files", "MB", "problems"),
            (
                (
                    area, verifying.AREAS[area], row.get("files", row.get("entries")),
                    f"{row['bytes'] / 1e6:.1f}" if "bytes" in row else "",
                    sum(problem.area == area for problem in report.problems),
                )
                for area, row in report.checked.items()
            ),
        )  # fmt: skip
        for problem in report.problems:
            typer.echo(f"{problem.where}: {problem.what}")
            if problem.expected or problem.found:
                typer.echo(f"  expected {problem.expected or 'nothing'}, found {problem.found or 'nothing'}")
            typer.echo(f"  fix: {problem.fix}")
        if client is None:
            typer.echo("there is no registry here yet")
        if not report.problems:
            typer.echo("nothing was altered")
    failure = report.failure()
    if failure is not None:
        raise failure


@contextmanager
def _progress() -> Iterator["Progress"]:
    """A bar of the bytes, on a terminal; otherwise nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("hashing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("hashing", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _show(told: "Reproduction") -> None:
    rows: list[tuple[str, Any]] = [
        ("result", told.verdict),
        ("model", f"{told.origin.name} version {told.origin.version}"),
        ("commit", told.origin.commit),
        ("bundle", told.origin.digest),
        *(("data", f"{each['path']}: {each['origin']}") for each in told.data),
        ("stages", ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in told.stages)),
        *_numbers(told),
        *(("differs", f"{each.stage}: {each.file}") for each in told.files[:_SHOWN]),
        *(("note", note) for note in told.notes),
    ]
    _server.show_table(("reproduction", ""), rows)
    for sample in told.samples[:_SHOWN]:
        typer.echo(f"  {sample}")
    if len(told.samples) > _SHOWN:
        typer.echo(f"  and {len(told.samples) - _SHOWN} more")


def _numbers(told: "Reproduction") -> Iterator[tuple[str, str]]:
    found = told.numbers
    if "max_difference" in found:
        yield (
            "answers",
            f"on {found['samples']} test pictures probabilities differ by at most "
            f"{found['max_difference']:.2g}, {found['changed_predictions']} predictions differ; "
            f"on the golden samples by at most {found['golden_max_difference']:.2g}",
        )
    moved = {name: row for name, row in found.get("metrics", {}).items() if row["difference"]}
    for name, row in moved.items():
        yield name, f"{row['registered']:.6f} → {row['rebuilt']:.6f} ({row['difference']:+.2g})"


def _different(told: "Reproduction") -> Exception:
    from convoy.errors import IntegrityError

    what = f"{told.origin.name} version {told.origin.version} was not reproduced"
    if told.failure:
        what = f"{what}: {told.failure}"
    elif told.samples:
        more = f" and {len(told.samples) - 1} more" if len(told.samples) > 1 else ""
        stage = told.first.stage if told.first else "?"
        what = f"{what}: stage {stage} read other samples: {told.samples[0]}{more}"
    elif told.first:
        what = f"{what}: stage {told.first.stage} is the first that differs"
    fixes = [each["fix"] for each in told.data if each["fix"]]
    fix = fixes[0] if fixes else "the notes above say what else differs from the run"
    return IntegrityError(what, where=told.first.file if told.first else "", fix=fix)
