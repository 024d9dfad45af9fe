"""How runs and versions are compared at the terminal: `convoy compare` and `convoy registry diff`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from convoy.cli import _server

_CHANGES = ("added", "removed", "relabelled", "moved")


def show(
    client: Any, experiment: str | None, wanted: Sequence[str], *, json: bool, html: Path | None = None
) -> None:
    """Print what differs between runs or versions.

    Raises:
        ConfigError: fewer than two are named, or nothing is called so.
    """
    from convoy.errors import ConfigError
    from convoy.registry import collecting, comparing

    if len(wanted) < 2:
        raise ConfigError("one run is nothing to compare", fix="name two or more: `convoy compare A B`")
    project = _project()
    with tempfile.TemporaryDirectory(prefix="convoy-") as scratch:
        sides = [collecting.collect(client, experiment, each, Path(scratch)) for each in wanted]
        table = comparing.compare(sides, project[0] if project else None)
    if html is not None:
        from convoy.io import write_text
        from convoy.registry import pictured

        write_text(html, pictured.page(sides, project))
        typer.echo(f"pictures: {html}", err=True)
    if json:
        _server.show_json(table)
    else:
        _print(table)


def _project() -> tuple[Path, Any] | None:
    """Root and parameters, None outside of a project."""
    from convoy.errors import ConfigError

    try:
        return _server.project()
    except ConfigError:
        return None


def _print(table: dict[str, Any]) -> None:
    names = [f"{run['name']}\n{run['id'][:8]} {run['status'].lower()}" for run in table["runs"]]
    _server.show_table(("parameter", *names), _rows(table["params"]), "Parameters that differ")
    _server.show_table(
        ("metric", *names), ((n, *_with_difference(m)) for n, m in table["metrics"].items()), "Metrics"
    )
    if table["provenance"]:
        _server.show_table(("origin", *names), _rows(table["provenance"]), "Origins that differ")
    for pair in table["against"]:
        _print_pair(table["runs"][0]["name"], pair)


def _print_pair(first: str, pair: dict[str, Any]) -> None:
    """What was found between the first and one other."""
    title = f"{pair['name']} against {first}"
    answers = pair["answers"]
    if answers is None:
        typer.echo(f"{title}: no predictions on common test samples, so no paired figures")
    else:
        rows = [
            (name, *row["values"], f"{row['difference']:+.4f}", "[{:+.4f}, {:+.4f}]".format(*row["interval"]))
            for name, row in answers["metrics"].items()
        ]
        columns = ("metric", first, pair["name"], "difference", "95 % interval")
        _server.show_table(columns, rows, f"{title}, on {answers['samples']} common test samples")
        test = answers["mcnemar"]
        typer.echo(
            f"right alone: {first} {test['only_first_right']}, {pair['name']} {test['only_other_right']}; "
            f"McNemar's exact p = {test['p']:.3g}"
        )
    _print_samples(title, pair["samples"])
    if pair["code"]:
        _print_code(pair["code"])
    changed = pair["changed_sides"]
    if changed["count"]:
        rows = [
            (row["change"], row["id"][:12], row["path"], row["target"], row["first"], row["other"])
            for row in changed["first"]
        ]
        count, shown = changed["count"], len(rows)
        more = f", the first {shown}" if count > shown else ""
        _server.show_table(
            ("", "id", "sample", "target", first, pair["name"]), rows, f"{count} samples changed sides{more}"
        )


def _print_samples(title: str, samples: dict[str, Any] | None) -> None:
    if samples is None:
        typer.echo(f"{title}: the samples of one of them are not known")
        return
    part = "" if samples["complete"] else " (validation and test alone; the training samples are not known)"
    if not any(samples[name]["count"] for name in _CHANGES):
        typer.echo(f"data: the same samples under the same labels{part}")
        return
    rows = [
        (name, samples[name]["count"], "\n".join(_sample(row) for row in samples[name]["first"][:5]))
        for name in _CHANGES
        if samples[name]["count"]
    ]
    _server.show_table(("data", "samples", "the first"), rows, f"{title}: samples{part}")


def _sample(row: dict[str, Any]) -> str:
    if "from" in row:
        return f"{row['id'][:12]} {row['from']} → {row['to']}"
    return f"{row['id'][:12]} {row['target']} ({row['split']})"


def _print_code(code: dict[str, Any]) -> None:
    between = f"{code['from'][:8]}..{code['to'][:8]}"
    if code["commits"] is None:
        typer.echo(f"code: {between}; this clone does not know both commits")
        return
    rows = [("commit", line) for line in code["commits"][:10]]
    rows += [("file", line) for line in code["files"][:20]] if code["files"] else []
    _server.show_table(("code", between), rows, f"{len(code['commits'])} commits")


def _rows(table: dict[str, list[Any]]) -> list[tuple[Any, ...]]:
    if not table:
        return [("none",)]
    return [(name, *(_short(value) for value in values)) for name, values in table.items()]


def _short(value: Any) -> Any:
    """Digests are told apart by their first twelve digits."""
    digest = isinstance(value, str) and len(value) >= 32 and not set(value) - set("0123456789abcdef")
    return value[:12] if digest else value


def _with_difference(metric: dict[str, list[float | None]]) -> list[str | None]:
    cells: list[str | None] = []
    for n, (value, difference) in enumerate(zip(metric["values"], metric["difference"], strict=True)):
        if value is None:
            cells.append(None)
        else:
            cells.append(f"{value:.4f}" + (f" ({difference:+.4f})" if n and difference is not None else ""))
    return cells
