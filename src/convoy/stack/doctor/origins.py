"""Which settings are in force, and where each comes from. Secrets are told to be set, never shown."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from convoy import environment
from convoy.registry.client import shown
from convoy.stack.settings import SECRETS

_SHOWN = ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "PREFECT_HOME", "MPLCONFIGDIR", "CONVOY_ARTIFACTS")


def look(root: Path, given: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """{"name", "value", "from"} of each setting: from the environment, the standing stack, or the default.

    Args:
        given: the environment before convoy set anything.
    """
    of_stack, default = environment.of_stack(root), environment.variables(root)
    for name in dict.fromkeys((*_SHOWN, *SECRETS)):
        if name in given:
            value = "set, not shown" if name in SECRETS else shown(given[name])
            yield {"name": name, "value": value, "from": "environment"}
        elif name in of_stack:
            yield {"name": name, "value": of_stack[name], "from": "stack"}
        elif name in default:
            yield {"name": name, "value": default[name], "from": "default"}
