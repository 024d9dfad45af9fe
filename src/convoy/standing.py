"""The stack of servers that stands for a project: `convoy up` says in .convoy/stack.json where it is."""

import json
from dataclasses import dataclass
from pathlib import Path

from convoy.layout import STATE
from convoy.owners import Owner

FILE = STATE / "stack.json"


@dataclass(frozen=True)
class Standing:
    """The stack that a living `convoy up` keeps.

    Attributes:
        pid: of the supervisor.
        create_time: of that process, seconds since the epoch.
        mlflow: what MLFLOW_TRACKING_URI takes.
        prefect: what PREFECT_API_URL takes.
        serve: where the champion is served; None while nothing is.
        backend: sqlite or postgresql.
    """

    pid: int
    create_time: float
    mlflow: str
    prefect: str
    serve: str | None
    backend: str

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
        return Standing(**{name: known[name] for name in Standing.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    except ModuleNotFoundError:  # psutil: an installation that only predicts keeps no stack
        return None
