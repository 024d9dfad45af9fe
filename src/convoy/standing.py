"""The stack of servers that stands for a project: `convoy up` says in .convoy/stack.json where it is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convoy.layout import STATE
from convoy.owners import Owner

FILE = STATE / "stack.json"
_ADDRESSES = ("mlflow", "prefect", "serve", "backend")


@dataclass(frozen=True)
class Standing:
    """The stack that a living `convoy up` keeps.

    Attributes:
        owner: the supervisor.
        mlflow: what MLFLOW_TRACKING_URI takes.
        prefect: what PREFECT_API_URL takes.
        serve: where the champion is served; None while nothing is.
        backend: sqlite or postgresql.
    """

    owner: Owner
    mlflow: str
    prefect: str
    serve: str | None
    backend: str

    def record(self) -> dict[str, Any]:
        """What `find` reads."""
        return {**self.owner.record(), **{name: getattr(self, name) for name in _ADDRESSES}}

    @property
    def prefect_ui(self) -> str:
        return self.prefect.removesuffix("/api")


def find(root: Path) -> Standing | None:
    """The stack of this project if its supervisor lives; else None. One look at a file where there is none.

    Args:
        root: of the project.
    """
    try:
        known = json.loads((root / FILE).read_text(encoding="utf-8"))
        owner = Owner.read(known)
        if owner is None or not owner.local or owner.gone:
            return None
        return Standing(owner, **{name: known[name] for name in _ADDRESSES})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    except ModuleNotFoundError:  # psutil: an installation that only predicts keeps no stack
        return None
