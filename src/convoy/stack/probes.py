"""Whether a server answers, asked over HTTP by hand: the supervisor loads neither MLflow nor Prefect."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

_SECONDS = 3.0


def answers(url: str) -> bool:
    """Whether a GET ends with 200."""
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310  # the stack's own
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def ask(url: str, content: Any = None, credentials: str = "") -> Any:
    """The JSON that a server answers; None where it answers none, an error or nothing.

    Args:
        content: sent as JSON by POST; None: GET.
        credentials: NAME:PASSWORD, or none.
    """
    headers = {"Content-Type": "application/json", **basic(credentials)}
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, body, headers)  # noqa: S310  # the stack's own
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return json.load(answer)
    except (OSError, ValueError):
        return None


def champion(mlflow: str, model: str, credentials: str = "") -> str | None:
    """The version that the alias `champion` of a registered model names; None where there is none."""
    query = urllib.parse.urlencode({"name": model, "alias": "champion"})
    found = ask(f"{mlflow}/api/2.0/mlflow/registered-models/alias?{query}", credentials=credentials)
    return str(found["model_version"]["version"]) if found and "model_version" in found else None


def worker(prefect: str, pool: str, name: str, credentials: str = "") -> bool:
    """Whether a worker of that name is online.

    Args:
        prefect: address of the API.
    """
    found = ask(f"{prefect}/work_pools/{pool}/workers/filter", {"limit": 200}, credentials)
    return any(each["name"] == name and each["status"] == "ONLINE" for each in found or [])


def basic(credentials: str) -> Mapping[str, str]:
    """The header of HTTP's basic authentication; none for no credentials."""
    if not credentials:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}
