"""Flow runs whose process was killed: Prefect would show them as running for ever.

A flow that `convoy run` starts carries its process as a tag. The next one on this project's own server looks
for runs that have not ended although their process has.
"""

import json
import os
import socket
import urllib.error
import urllib.request
from typing import Any

_PREFIX = "process"
_OPEN = ("SCHEDULED", "PENDING", "RUNNING", "CANCELLING")
_SECONDS = 10.0


def tag() -> str:
    """Names this process; a later one with the same number began at another time."""
    import psutil

    return f"{_PREFIX} {socket.gethostname()} {os.getpid()} {psutil.Process().create_time():.0f}"


def mark(url: str) -> list[str]:
    """Set what nobody runs any more to Crashed; their names. A server that is away hears of it next time.

    Args:
        url: of the server's API.
    """
    wanted = {"flow_runs": {"state": {"type": {"any_": list(_OPEN)}}}, "limit": 200}
    told = {"type": "CRASHED", "name": "Crashed", "message": "its process is gone and left no word"}
    try:
        gone = [run for run in _post(f"{url}/flow_runs/filter", wanted) if any(map(_gone, run["tags"]))]
        for run in gone:
            _post(f"{url}/flow_runs/{run['id']}/set_state", {"state": told, "force": True})
    except (urllib.error.URLError, TimeoutError):
        return []
    return [str(run["name"]) for run in gone]


def _gone(tag: str) -> bool:
    """Whether a tag names a process of this machine that has ended."""
    import psutil

    prefix, *parts = tag.split(" ")
    if prefix != _PREFIX or len(parts) != 3 or parts[0] != socket.gethostname() or not parts[1].isdecimal():
        return False
    try:
        process = psutil.Process(int(parts[1]))
        alive = f"{process.create_time():.0f}" == parts[2] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    return not alive


def _post(url: str, content: dict[str, Any]) -> Any:
    request = urllib.request.Request(  # noqa: S310  # the address of the server on loopback
        url, json.dumps(content).encode("utf-8"), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
        return json.load(answer)
