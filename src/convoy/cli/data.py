"""`convoy data`: get data, look at what the gate found, correct labels, follow samples into the models."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from convoy.cli import _server

if TYPE_CHECKING:
    from convoy.data.fixes import Fix

app = typer.Typer(no_args_is_help=True, help="Get data, look at them, correct them, follow them into models.")

_SHOWN = 20
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="A known data set: mnist5k, MNIST, CIFAR10, …")],
    into: Annotated[
        Path | None,
        typer.Option(help="Folder (default: data/raw/NAME, or data.path where it is of that name)."),
    ] = None,
) -> None:
    """Write or fetch a known data set, checked against its published checksums or its .dvc file (exit 4)."""
    from convoy import environment
    from convoy.data import downloads, fetch
    from convoy.errors import ConfigError

    if name in downloads.names():
        root, config = _server.project()
        own = config.data.source == "named" and config.data.dataset == name
        folder = into or root / (config.data.path if own else fetch.FOLDER / name)
        place = downloads.get(name, folder, say=lambda line: typer.echo(line, err=True))
    elif name in fetch.names() and into is None:
        root = environment.project_root()
        environment.apply(root)
        place = fetch.get(name, root)
    elif name in fetch.names():
        raise ConfigError(f"{name} has its place below {fetch.FOLDER}", fix="leave --into out")
    else:
        known = [*fetch.names(), *downloads.names()]
        raise ConfigError(f"no data set is called {name!r}", fix=f"choose one of: {', '.join(known)}")
    typer.echo(f"{name}: {_shown(place, root)}")


@app.command()
def report(
    check: Annotated[str | None, typer.Option(help="Only the findings of this check.")] = None,
    json: Json = False,
) -> None:
    """What the gate found in the data, and where its page with the pictures lies."""
    from convoy.data import findings, manifest
    from convoy.errors import ConfigError
    from convoy.layout import VALIDATE

    root, _ = _server.project()
    summary = manifest.read_facts(root / VALIDATE / "report.json")
    found = findings.read(root / VALIDATE)
    if check is not None:
        from convoy.config.data import ChecksConfig

        checks = sorted([*ChecksConfig.model_fields, *found["check"].unique()])
        if check not in checks:
            raise ConfigError(f"no check is called {check!r}", fix=f"choose one of: {', '.join(checks)}")
        found = found[found["check"] == check]
    pages = {
        name: _shown(path, root)
        for name in ("report.html", "labels.html", "fixes.csv")
        if (path := root / VALIDATE / name).is_file()
    }
    if json:
        _server.show_json(
            {
                "passed": not summary["problems"],
                "summary": summary,
                "pages": pages,
                "findings": found.to_dict("records"),
            }
        )
        return
    if len(found):
        counts = found.groupby(["check", "policy", "reason"], sort=False, dropna=False)
        _server.show_table(
            ("check", "policy", "reason", "findings", "for example"),
            [
                (*key, len(rows), _example(rows.iloc[0]))
                for key, rows in counts
            ],
        )  # fmt: skip
    for problem in summary["problems"]:
        typer.echo(problem)
    state = "do not pass" if summary["problems"] else "pass"
    typer.echo(
        f"the data {state}: {summary['samples']:,} samples, {summary['kept']:,} kept, {len(found):,} findings"
    )
    for page in pages.values():
        typer.echo(page)


@app.command()
def gallery(
    by: Annotated[
        Literal["class", "split", "check"], typer.Option(help="What the pictures are grouped by.")
    ] = "class",
    class_: Annotated[str | None, typer.Option("--class", help="Only this class.")] = None,
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    check: Annotated[
        str | None, typer.Option(help="Only what this check found (implies --by check).")
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="Pictures of each group.")] = 12,
    out: Annotated[Path | None, typer.Option(help="The page (default: .convoy/gallery.html).")] = None,
    json: Json = False,
) -> None:
    """A page with pictures of the samples; prints where it lies."""
    from convoy import io
    from convoy.data import opening
    from convoy.evaluation import sample_gallery
    from convoy.layout import STATE

    root, config = _server.project()
    wanted = {"target": class_, "split": split, "check": check}
    given = {column: value for column, value in wanted.items() if value is not None}
    by = "check" if check is not None else by
    samples = sample_gallery.samples(root, by, given)
    chosen = sample_gallery.chosen(samples, by, most)
    page = sample_gallery.render(
        chosen,
        len(samples),
        opening.reader(config.data, root),
        config.validation.max_pixels,
        root / STATE / "cache" / "previews",
    )
    path = out or root / STATE / "gallery.html"
    io.write_text(path, page)
    if json:
        columns = [name for name in ("id", "path", "target", "split", "group") if name in chosen.columns]
        _server.show_json({"page": _shown(path, root), "samples": chosen[columns].to_dict("records")})
    else:
        typer.echo(f"{_shown(path, root)}: {len(chosen):,} of {len(samples):,} samples")


@app.command()
def fix(
    file: Annotated[
        Path | None,
        typer.Argument(help="The table with your decisions (default: artifacts/validate/fixes.csv)."),
    ] = None,
    undo: Annotated[
        list[str] | None, typer.Option(metavar="PATH|ID", help="Take back the decision on this sample.")
    ] = None,
) -> None:
    """Take your decisions over into data/fixes.csv: relabel (to `suggested`), drop or keep.

    Every row is checked first; if one is wrong, nothing is written.
    """
    from convoy.data import fixes, manifest
    from convoy.data.labels import decisions, suggestions
    from convoy.errors import ConfigError
    from convoy.layout import FIXES, INGEST, VALIDATE

    root, _ = _server.project()
    earlier = fixes.read(root / FIXES)
    if undo:
        if file is not None:
            raise ConfigError("a table and --undo do not go together", fix="use one of the two")
        merged = decisions.without(earlier, undo)
        fixes.write(root / FIXES, merged.fixes)
        _tell_fixes(merged.added, f"{len(merged.added):,} taken back from {FIXES}")
        return
    path = file or root / VALIDATE / suggestions.FILE
    classes: list[str] = manifest.read_facts(root / INGEST / "source.json")["classes"]
    decided = decisions.read(path, manifest.read(root / INGEST), classes, earlier)
    if not decided:
        typer.echo(
            f"{_shown(path, root)}: no row has an action; write relabel, drop or keep into that column"
        )
        return
    _merge(root, earlier, decided)


@app.command()
def drop(
    samples: Annotated[
        list[str],
        typer.Argument(metavar="SAMPLE…", help="Paths of the sample table, files of the data, or ids."),
    ],
) -> None:
    """Leave samples out of the data: rows in data/fixes.csv; the files stay where they are."""
    from convoy.data import fixes, manifest
    from convoy.data.labels import decisions
    from convoy.layout import FIXES, INGEST

    root, config = _server.project()
    found = decisions.drops(samples, manifest.read(root / INGEST), root / config.data.path)
    _merge(root, fixes.read(root / FIXES), found)


@app.command()
def pack(
    folder: Annotated[Path, typer.Argument(help="The folder of files, or an archive.")],
    out: Annotated[
        Path | None, typer.Option(help="Where the shards go (default: FOLDER-shards, beside it).")
    ] = None,
) -> None:
    """Pack many files into a few tar shards, which DVC tracks in seconds; sources read them as the folder."""
    from convoy.data import pack as packing

    folder = folder.absolute()
    place = out or folder.with_name(f"{folder.name}-shards")
    shards = packing.pack(folder, place)
    size = sum(shard.stat().st_size for shard in shards)
    where_ = _shown(place, Path.cwd())
    typer.echo(f"{where_}: {len(shards):,} shard{'s' if len(shards) > 1 else ''}, {size / 1e6:,.0f} MB")
    typer.echo(f"now: dvc add {where_}, and set data.path: {where_} in params.yaml")


@app.command()
def where(
    sample: Annotated[
        str, typer.Argument(help="A picture file, a path of the sample table, an id or 4 digits.")
    ],
    model: Annotated[
        str | None, typer.Option(help="Only this model's versions (default: all models).")
    ] = None,
    json: Json = False,
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


def _merge(root: Path, earlier: "Sequence[Fix]", decided: "Sequence[Fix]") -> None:
    """Write decisions to data/fixes.csv and say which are new."""
    from convoy.data import fixes
    from convoy.data.labels import decisions
    from convoy.layout import FIXES

    merged = decisions.merge(earlier, decided)
    if merged.added:
        fixes.write(root / FIXES, merged.fixes)
    known = f", {merged.known:,} stood there already" if merged.known else ""
    _tell_fixes(merged.added, f"{len(merged.added):,} added to {FIXES}{known}")
    if merged.added:
        typer.echo("`convoy run` applies them; keep the file in git")


def _tell_fixes(rows: "Sequence[Fix]", summary: str) -> None:
    if rows:
        _server.show_table(
            ("sample", "label", "action", "to"),
            [(fix.path, fix.target, fix.action, fix.label) for fix in rows[:_SHOWN]],
        )
    if len(rows) > _SHOWN:
        typer.echo(f"and {len(rows) - _SHOWN:,} more")
    typer.echo(summary)


def _example(finding: Any) -> str:
    return f"{finding['path']}: {finding['detail']}" if finding["path"] else str(finding["detail"])


def _shown(path: Path, root: Path) -> str:
    """A path as the user meets it: below the project's root relative to it."""
    full = path.absolute()
    return (full.relative_to(root) if full.is_relative_to(root) else full).as_posix()
