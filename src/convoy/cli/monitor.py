"""`convoy monitor`: whether a model still gets what it was tested on, and is still as often right."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convoy.cli import _server

if TYPE_CHECKING:
    from convoy.monitor.verdict import Verdict

app = typer.Typer(help="Drift of what a model is asked and answers, and labels that come later.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[
    str | None, typer.Option(help="models:/NAME@ALIAS or models:/NAME/VERSION (default: the champion).")
]


@app.callback(invoke_without_command=True)
def monitor(
    context: typer.Context,
    model: Model = None,
    retrain: Annotated[
        bool, typer.Option("--retrain/--no-retrain", help="--no-retrain: whatever monitor.retrain says.")
    ] = True,
    json: Json = False,
) -> None:
    """Compare kept predictions (`--keep` of predict and serve) with the test of their model. Drift: exit 7.

    Writes .convoy/monitor/report.html and report.json; tells people where section `notify` says so.
    """
    if context.invoked_subcommand is not None:
        return
    from convoy.monitor import watch
    from convoy.monitor.verdict import DriftFound

    root, config = _server.project()
    verdict, link = watch.look(root, config, model)
    if json:
        _server.show_json(verdict.as_dict())
    else:
        _show(verdict, root / watch.REPORT)
    if not retrain:
        section = config.monitor.model_copy(update={"retrain": False})
        config = config.model_copy(update={"monitor": section})
    code = watch.follow_up(root, config, verdict, link, lambda line: typer.echo(line, err=True))
    if verdict.status != "drifted":
        return
    after = "" if code is None else f"; it was trained again: exit code {code}"
    raise DriftFound(
        f"{verdict.model} version {verdict.version} drifts: {verdict.reason}{after}",
        where=str(watch.REPORT),
        fix="look at the report; label some of it (`convoy monitor unlabelled`), add data, then `convoy run`",
    )


@app.command()
def labels(
    file: Annotated[Path, typer.Argument(help="CSV with the columns `target` and `id` (or `path`).")],
    model: Model = None,
    json: Json = False,
) -> None:
    """Take labels of pictures that were predicted earlier; the last label of a picture counts."""
    from convoy.monitor import kept, labels, subject

    root, config = _server.project()
    watched = subject.find(root, config, model)
    given, replaced = labels.add(root, file, watched.classes)
    known = labels.load(root)
    rows = kept.read(root, watched.digest, config.monitor.window)
    matched = int(rows["id"].isin(list(known)).sum())
    if json:
        _server.show_json(
            {"given": given, "replaced": replaced, "predictions": len(rows), "labelled": matched}
        )
        return
    typer.echo(f"{given} labels taken" + (f", {replaced} of them replace another one" if replaced else ""))
    typer.echo(f"{matched} of {len(rows)} predictions of {watched} have a label now")


@app.command()
def unlabelled(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 200,
    output: Annotated[Path | None, typer.Option(help="Write them to this CSV file, to be filled in.")] = None,
    model: Model = None,
    json: Json = False,
) -> None:
    """Predictions without a label, a random part of them: only such a part tells how good the model is."""
    from convoy.io import write_text
    from convoy.monitor import kept, labels, subject

    root, config = _server.project()
    watched = subject.find(root, config, model)
    rows = kept.read(root, watched.digest, config.monitor.window)
    known = {*labels.load(root), *watched.learned}
    open_rows = rows[~rows["id"].isin(list(known))].sort_values("id")  # ids are digests: an order by chance
    chosen = open_rows.head(limit)
    if output is not None:
        table = chosen.reindex(columns=["id", "prediction", "confidence"]).assign(target="")
        write_text(output, table.to_csv(index=False, lineterminator="\n"))
    if json:
        columns = ["id", "at", "prediction", "confidence"]
        _server.show_json([] if chosen.empty else chosen[columns].to_dict("records"))
        return
    if output is None:
        cells = zip(chosen["id"], chosen["prediction"], chosen.get("confidence", []), strict=True)
        _server.show_table(("picture", "prediction", "confidence"), ((i, p, float(c)) for i, p, c in cells))
    typer.echo(f"{len(chosen)} of {len(open_rows)} predictions of {watched} without a label")


def _show(verdict: "Verdict", report: Path) -> None:
    from convoy.monitor.verdict import shown

    if verdict.measures:
        _server.show_table(
            ("measure", "in the test", "now", "PSI", "test", "p (Holm)", ""),
            (
                (
                    m.name,
                    shown(m.reference),
                    shown(m.kept),
                    f"{m.psi:.3f}", m.test, f"{m.adjusted:.4f}" if m.adjusted >= 0.0001 else "< 0.0001",
                    "drift" if m.drifted else "",
                )
                for m in sorted(verdict.measures, key=lambda m: (not m.drifted, -m.psi))
            ),
            title=f"{verdict.model} version {verdict.version}: {verdict.samples} predictions",
        )  # fmt: skip
    done = verdict.performance
    if done.accuracy is not None and done.difference is not None and done.interval is not None:
        low, high = done.interval
        typer.echo(
            f"labels: right in {done.accuracy:.1%} of {done.labelled}; against the test's "
            f"{done.test_accuracy:.1%}: {100 * done.difference:+.1f} points "
            f"[{100 * low:+.1f}, {100 * high:+.1f}]"
        )
    missing = done.of - done.labelled - done.learned
    if missing:
        typer.echo(f"labels not here yet for {missing} of {done.of}")
    if verdict.status != "drifted":
        typer.echo(f"{verdict.status}: {verdict.reason}")
    typer.echo(f"report: {report}")
