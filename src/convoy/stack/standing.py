"""What a running `convoy up` leaves for other commands: where its servers are. No secrets."""

import json
import os
import socket
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from convoy.standing import FILE, Standing, find, lives

__all__ = ["FILE", "Standing", "find", "leftovers", "lives", "remove", "write"]


def write(root: Path, standing: Standing, children: Iterable[tuple[str, int, float]]) -> None:
    """Say where the servers are, for the user alone (mode 0600).

    Args:
        children: name, process id and time of creation of each, for the next `convoy up` after a crash.
    """
    path = root / FILE
    content = {
        **asdict(standing),
        "host": socket.gethostname(),
        "children": [{"name": name, "pid": pid, "create_time": time} for name, pid, time in children],
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


def leftovers(root: Path) -> list[dict[str, Any]]:
    """Processes of a stack whose supervisor is gone, and that still run: {"name", "pid", "create_time"}."""
    try:
        known = json.loads((root / FILE).read_text(encoding="utf-8"))
        if known["host"] != socket.gethostname() or lives(known["pid"], known["create_time"]):
            return []
        return [child for child in known["children"] if lives(child["pid"], child["create_time"])]
    except (OSError, ValueError, KeyError, TypeError):
        return []
