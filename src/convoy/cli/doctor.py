"""`convoy doctor`: is everything in order, and where does each setting come from?"""

import os
from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Look at versions, servers, clocks, remotes, disk, GPU, locks, and what crashes left; change nothing.

    Exits 0, or 5 where something is broken.
    """
    from convoy import environment
    from convoy.cli._server import show_json, show_table
    from convoy.stack.doctor import machine, origins, project, servers, versions

    root = environment.project_root()
    given = dict(os.environ)
    environment.apply(root)
    os.chdir(root)
    settings = list(origins.look(root, given))
    findings = [
        finding
        for look in (versions.look(), servers.look(root), project.look(root), machine.look(root))
        for finding in look
    ]
    broken = [finding for finding in findings if finding.status == "broken"]
    if as_json:
        show_json(
            {"ok": not broken, "findings": [finding.record() for finding in findings], "settings": settings}
        )
    else:
        show_table(("", "", "", "to do"), [(f.topic, f.status, f.said, f.fix) for f in findings])
        show_table(("setting", "value", "from"), [(s["name"], s["value"], s["from"]) for s in settings])
        typer.echo(f"{len(broken)} broken" if broken else "nothing is broken")
    if broken:
        raise typer.Exit(5)
