"""`convoy register` and `convoy registry`: bundles become versions; versions get and lose aliases."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from convoy.cli import _comparison, _server

if TYPE_CHECKING:
    from convoy.registry.cleaning import Leftover

app = typer.Typer(no_args_is_help=True, help="The registry of models: who is champion, and why.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[str, typer.Argument(help="Name of a registered model.")]
OptionalModel = Annotated[str | None, typer.Argument(help="Name of a model (default: the project's).")]


def register(json: Json = False) -> None:
    """Register the bundle that lies in artifacts/ and let the gate decide (exit 6 when it refuses)."""
    from convoy.registry import register as registering
    from convoy.registry import tracking

    root, config = _server.project()
    receipt = registering.register(root, config, tracking.sync(root, config))
    if json:
        _server.show_json(receipt.as_dict())
    else:
        new = "registered" if receipt.new else "was registered already"
        typer.echo(f"{receipt.name} version {receipt.version} {new}: {receipt.status}")
        typer.echo(f"  {receipt.verdict['reason']}")
        _show_rules(receipt.verdict)
    refusal = receipt.refusal()
    if refusal is not None:
        raise refusal


@app.command("list")
def list_(
    name: Annotated[str | None, typer.Argument(help="Only this model's versions.")] = None, json: Json = False
) -> None:
    """All versions of all models, with aliases and what the gate said."""
    from convoy.registry import lookup

    _, client = _server.reach()
    names = [name] if name else lookup.model_names(client)
    rows = [row for each in names for row in lookup.model_versions(client, each)]
    if json:
        _server.show_json(rows)
        return
    if not rows:
        typer.echo("no model is registered yet; `convoy run` makes one")
        return
    _server.show_table(
        ("model", "version", "aliases", "gate", "metric", "value", "registered", "commit"),
        (
            (
                row["name"], row["version"], ", ".join(row["aliases"]), row["status"], row["metric"],
                row["value"], _server.moment(row["created"]),
                f"{row['commit'][:8]}{'+' if row['dirty'] else ''}",
            )
            for row in rows
        ),
    )  # fmt: skip


@app.command()
def show(
    name: OptionalModel = None,
    version: Annotated[str | None, typer.Argument(help="Version or @alias (default: @champion).")] = None,
    json: Json = False,
) -> None:
    """One version: lineage, the gate's verdict with its numbers."""
    from convoy.registry import lookup

    _, client = _server.reach()
    found = lookup.resolve(client, _reference(client, name or _own_model(), version))
    row = lookup.show(client, found)
    if json:
        _server.show_json(row)
        return
    aliases = ", ".join(row["aliases"]) or "none"
    typer.echo(f"{row['name']} version {row['version']} · aliases: {aliases} · {row['description']}")
    if row["verdict"]:
        typer.echo(f"{row['status']}: {row['reason']}")
        _show_rules(row["verdict"])
        _server.show_table(("gate", ""), _flat(row["verdict"]))
    _server.show_table(("lineage", ""), row["lineage"].items())
    _server.show_table(("parameter", ""), row["params"].items())


@app.command()
def history(name: OptionalModel = None, json: Json = False) -> None:
    """Every decision about a model's aliases, oldest first; on stderr, what contradicts itself."""
    from convoy.registry import ledger, lookup

    _, client = _server.reach()
    model = name or _own_model()
    entries = lookup.history(client, model)
    for problem in ledger.problems(client, model):
        typer.echo(f"not as it was written: {problem}", err=True)
    if json:
        _server.show_json(entries)
        return
    _server.show_table(
        ("#", "when", "who", "what", "alias", "from", "to", "why"),
        (
            (e["n"], e["when"], e["who"], e["action"], e["alias"], e["from"], e["to"], e["why"])
            for e in entries
        ),
    )


@app.command()
def promote(
    name: Model,
    version: Annotated[str, typer.Argument(help="Version or @alias, as @challenger.")],
    override: Annotated[str, typer.Option(help="Promote whatever the gate says, for this reason.")] = "",
    json: Json = False,
) -> None:
    """Make a version champion, if the gate lets it (else exit 6)."""
    from convoy.registry import promotion

    root, config = _server.project()
    _, client = _server.reach()
    number, verdict = promotion.promote(root, client, config, name, version, override)
    if json:
        _server.show_json({"name": name, "version": number, **verdict.as_dict()})
    else:
        typer.echo(f"{name} version {number} is champion: {verdict.reason}")
        _show_rules(verdict.as_dict())


@app.command()
def rollback(
    name: Model,
    why: Annotated[str, typer.Option(help="The reason; it goes into the ledger.")] = "",
    json: Json = False,
) -> None:
    """Make the champion before the present one champion again."""
    from convoy.registry import promotion

    root, client = _server.reach()
    entry = promotion.rollback(root, client, name, why)
    if json:
        _server.show_json(entry)
    else:
        typer.echo(f"{name}: champion is version {entry['to']} again (was {entry['from']})")


@app.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="NAME/VERSION, NAME@ALIAS, VERSION or @ALIAS.")],
    other: Annotated[str, typer.Argument(metavar="B", help="The same; of the project's model without NAME.")],
    json: Json = False,
) -> None:
    """Two versions: parameters, data, metrics with paired intervals, code and environment that differ."""
    from convoy.registry import lookup

    _, client = _server.reach()
    wanted = [
        each if lookup.is_reference(each) else lookup.reference(_own_model(), each) for each in (first, other)
    ]
    for each in wanted:
        lookup.resolve(client, each)
    _comparison.show(client, None, wanted, json=json)


@app.command()
def gc(
    name: OptionalModel = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove versions that no alias and no move of an alias in the ledger names, with their files."""
    from dataclasses import asdict

    from convoy.registry import cleaning

    root, client = _server.reach()
    model = name or _own_model()
    rows = cleaning.leftovers(client, model)
    if not json:
        _show_leftovers(model, rows)
    if rows and not dry_run:
        if not yes:
            typer.confirm(f"remove {len(rows)} versions of {model} for good?", abort=True, err=True)
        rows = cleaning.remove(root, client, model, [row.version for row in rows])
    if json:
        _server.show_json({"removed": not dry_run, "versions": [asdict(row) for row in rows]})
    elif rows and not dry_run:
        typer.echo(f"removed: {', '.join(row.version for row in rows)}")


def _show_leftovers(model: str, rows: "list[Leftover]") -> None:
    if not rows:
        typer.echo(f"{model}: every version is named by an alias or by the ledger")
        return
    _server.show_table(
        ("version", "gate", "MB", "why"),
        (
            (row.version, row.status, None if row.bytes is None else f"{row.bytes / 1e6:.1f}", row.reason)
            for row in rows
        ),
    )


def _own_model() -> str:
    return _server.project()[1].registration.model


def _reference(client: Any, name: str, version: str | None) -> str:
    """NAME/VERSION or NAME@ALIAS; without a version the champion, or the newest where there is none."""
    from convoy.registry import lookup

    if version is not None:
        return lookup.reference(name, version)
    rows = lookup.model_versions(client, name)
    champion = next((row for row in rows if "champion" in row["aliases"]), None)
    chosen = champion or next(iter(rows), None)
    return f"{name}/{chosen['version']}" if chosen else f"{name}@champion"


def _show_rules(verdict: dict[str, Any]) -> None:
    """Every rule of the gate with its outcome; verdicts of before the rules were listed have none."""
    marks = {"passed": "passed", "failed": "FAILED", "not applicable": "–"}
    rows = [(row["rule"], marks[row["outcome"]], row["said"]) for row in verdict.get("rules", ())]
    rows = [
        (rule, "no" if rule == "better" and mark == "FAILED" else mark, said) for rule, mark, said in rows
    ]
    if rows:
        _server.show_table(("rule", "", ""), rows)


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    """Nested numbers as rows; texts that were shown before are left out."""
    rows: list[tuple[str, object]] = []
    for name, item in value.items():
        if isinstance(item, dict):
            rows += _flat(item, f"{prefix}{name}.")
        elif name not in ("reason", "fix", "status", "final", "rules") and item not in (None, ""):
            shown = " … ".join(f"{n:.4f}" for n in item) if isinstance(item, list) else item
            rows.append((f"{prefix}{name}", shown))
    return rows
