"""What a running `convoy up` leaves for other commands: where its servers are. No secrets."""

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from convoy.owners import Owner
from convoy.standing import FILE, Standing, find

__all__ = ["FILE", "Standing", "find", "leftovers", "remove", "write"]


def write(root: Path, standing: Standing, children: Iterable[tuple[str, Owner]]) -> None:
    """Say where the servers are, for the user alone (mode 0600).

    Args:
        children: name and process of each, for the next `convoy up` after a crash.
    """
    path = root / FILE
    content = {
        **standing.record(),
        "children": [{"name": name, **child.record()} for name, child in children],
    }
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # of mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove(root: Path) -> None:
    (root / FILE).unlink(missing_ok=True)


def leftovers(root: Path) -> list[tuple[str, Owner]]:
    """Processes of a stack whose supervisor is gone, and that still run on this machine: name and process."""
    try:
        known = json.loads((root / FILE).read_text(encoding="utf-8"))
        owner = Owner.read(known)
        if owner is None or not owner.gone:
            return []
        children = [(str(child["name"]), Owner.read(child)) for child in known["children"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [(name, child) for name, child in children if child and child.local and not child.gone]
