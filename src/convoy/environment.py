"""The project's root, and the environment that its tools run in: state inside the project, telemetry off."""

import os
from pathlib import Path

from convoy import standing
from convoy.errors import ConfigError
from convoy.layout import PARAMS, STATE

_QUIET = {
    "DO_NOT_TRACK": "true",  # MLflow takes no `1`
    "DVC_NO_ANALYTICS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    # Threads of torch sleep while they wait: with anything else running on the cores, spinning costs three
    # times as much (docs/benchmarks.md). Read when torch is loaded.
    "OMP_WAIT_POLICY": "PASSIVE",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
}


def project_root(start: Path | None = None) -> Path:
    """The nearest folder at or above `start` (default: here) that holds params.yaml and dvc.yaml.

    Raises:
        ConfigError: there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / PARAMS).is_file() and (folder / "dvc.yaml").is_file():
            return folder
    raise ConfigError(
        "this is not a convoy project",
        where=str(here),
        fix="run the command in a folder that holds params.yaml and dvc.yaml, or below it",
    )


def state_dir(root: Path) -> Path:
    return root / STATE


def default_tracking_uri(root: Path) -> str:
    return f"sqlite:///{state_dir(root) / 'mlflow' / 'mlflow.db'}"


def variables(root: Path) -> dict[str, str]:
    """What convoy sets for itself and for the tools it starts, where the caller has not set it already."""
    return {
        **_QUIET,
        "MLFLOW_TRACKING_URI": default_tracking_uri(root),
        "PREFECT_HOME": str(root / ".prefect"),
        "MPLCONFIGDIR": str(state_dir(root) / "cache" / "matplotlib"),
    }


def of_stack(root: Path) -> dict[str, str]:
    """Where the servers of the project's standing stack are; nothing where `convoy up` does not run."""
    found = standing.find(root)
    return {"MLFLOW_TRACKING_URI": found.mlflow, "PREFECT_API_URL": found.prefect} if found else {}


def apply(root: Path) -> None:
    """Set the variables in this process; those already set stay as they are.

    Where a stack stands for the project, its servers are the project's.
    """
    for name, value in {**variables(root), **of_stack(root)}.items():
        os.environ.setdefault(name, value)
    state_dir(root).mkdir(exist_ok=True)


def quiet() -> None:
    """Only the telemetry switches, for commands that need no project."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
