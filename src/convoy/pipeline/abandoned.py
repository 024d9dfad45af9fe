"""Flow runs whose process was killed: Prefect would show them as running for ever.

A flow run carries its process as a tag, with the number of the attempt: a worker may run it again. Whoever
starts the next one looks for runs that have not ended although their process has; those of other machines are
theirs to judge.
"""

import json
import os
import urllib.error
import urllib.request
from typing import Any

from convoy.owners import Owner

_PREFIX = "process "
_BEGUN = ("RUNNING", "CANCELLING")
_OPEN = ("SCHEDULED", "PENDING", *_BEGUN)
_SECONDS = 10.0
_AWAY = (urllib.error.URLError, TimeoutError, OSError, ValueError)


def tag(attempt: int = 1) -> str:
    """Names this process; a later one with the same number is another one."""
    return f"{_PREFIX}{attempt} {Owner.of()}"


def claim(url: str, flow_run: str) -> None:
    """Write this process into a flow run that a worker started; a server that is away is no error.

    Args:
        url: of the server's API; nothing is done without one.
    """
    try:
        run = _ask(f"{url}/flow_runs/{flow_run}", None, "GET") if url else None
        if run and tag(run["run_count"]) not in run["tags"]:
            others = [each for each in run["tags"] if not each.startswith(_PREFIX)]
            _ask(f"{url}/flow_runs/{flow_run}", {"tags": [*others, tag(run["run_count"])]}, "PATCH")
    except _AWAY:
        return


def mark(url: str, *, act: bool = True) -> list[str]:
    """Set what nobody runs any more to Crashed (Cancelled, if it was to be), if `act`; their names.

    Args:
        url: of the server's API. One that is away hears of it next time.
    """
    wanted = {"flow_runs": {"state": {"type": {"any_": list(_OPEN)}}}, "limit": 200}
    try:
        gone = [run for run in _ask(f"{url}/flow_runs/filter", wanted) if _gone(run)]
        for run in gone if act else []:
            cancelling = run["state_type"] == "CANCELLING"
            kind = ("CANCELLED", "Cancelled") if cancelling else ("CRASHED", "Crashed")
            told = {"type": kind[0], "name": kind[1], "message": "its process is gone and left no word"}
            _ask(f"{url}/flow_runs/{run['id']}/set_state", {"state": told, "force": True})
    except _AWAY:
        return []
    return [str(run["name"]) for run in gone]


def cancelled(url: str, flow_run: str) -> bool:
    """Whether somebody cancelled this run in Prefect; False where the server does not say."""
    try:
        state = _ask(f"{url}/flow_runs/{flow_run}", None, "GET")["state_type"] if url else ""
    except _AWAY:
        return False
    return state in ("CANCELLING", "CANCELLED")


def _gone(run: dict[str, Any]) -> bool:
    """Whether the process of this attempt was one of this machine, and has ended."""
    if run["state_type"] in _BEGUN:
        attempt = run["run_count"]
    elif run["run_count"] == 0 and run["deployment_id"] is None:
        attempt = 1  # not begun, and nobody but its process would begin it
    else:
        return False
    prefix = f"{_PREFIX}{attempt} "
    owners = [Owner.parse(each.removeprefix(prefix)) for each in run["tags"] if each.startswith(prefix)]
    return any(owner is not None and owner.gone for owner in owners)


def _ask(url: str, content: dict[str, Any] | None, method: str = "POST") -> Any:
    data = None if content is None else json.dumps(content).encode("utf-8")
    headers = {"Content-Type": "application/json", **_authorization()}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  # the configured server
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text else None


def _authorization() -> dict[str, str]:
    """As Prefect's own client sends it: a user's name and password, or a key."""
    import base64

    basic, key = os.environ.get("PREFECT_API_AUTH_STRING"), os.environ.get("PREFECT_API_KEY")
    if basic:
        return {"Authorization": f"Basic {base64.b64encode(basic.encode()).decode()}"}
    return {"Authorization": f"Bearer {key}"} if key else {}
