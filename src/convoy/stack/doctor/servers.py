"""The servers of the project: whether they answer, and whether their clocks agree with this one's."""

import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from convoy.environment import state_dir
from convoy.errors import ConvoyError
from convoy.registry import client
from convoy.stack import probes, standing
from convoy.stack.doctor.finding import Finding

_SECONDS = 5.0
_SLOW_CLOCK, _WRONG_CLOCK = 2.0, 60.0  # seconds apart
_AWAY = "start it (`convoy up`), or mend {variable}"


def look(root: Path) -> Iterator[Finding]:
    """The environment of `root` is applied."""
    found = standing.find(root)
    told = (
        f"`convoy up` stands (process {found.owner.pid}, {found.backend})"
        if found
        else "no `convoy up` is running"
    )
    yield Finding("servers", "ok", told)
    yield from _mlflow(client.tracking_uri(root), root)
    api = os.environ.get("PREFECT_API_URL")
    if api:
        yield from _http("Prefect", f"{api}/health", "PREFECT_API_URL")
    else:
        yield Finding("servers", "ok", "Prefect: none named; `convoy run` starts one for itself")
    if found and found.serve:
        yield from _http("serve", f"{found.serve}/ping", "")
    yield from _files(root)


def _mlflow(uri: str, root: Path) -> Iterator[Finding]:
    database = client.database_file(uri)
    if uri.startswith(("http://", "https://")):
        yield from _http("MLflow", f"{uri}/health", "MLFLOW_TRACKING_URI")
    elif database is not None and not database.exists():
        yield Finding("servers", "ok", "MLflow: no database yet; the first run makes it")
        return
    try:
        client.connect(root)
    except ConvoyError as error:
        fix = _AWAY.format(variable="MLFLOW_TRACKING_URI")
        yield Finding("servers", "broken", f"MLflow: {error.what}: {error.where}", fix)
    else:
        yield Finding("servers", "ok", f"MLflow: {client.shown(uri)} can be used")


def _http(name: str, url: str, variable: str) -> Iterator[Finding]:
    host = urlsplit(url).netloc.rpartition("@")[2]
    request = urllib.request.Request(url, headers=dict(probes.basic(_credentials(name))))  # noqa: S310  # user's own
    before = time.time()
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            date = answer.headers.get("Date")
    except urllib.error.HTTPError as error:
        yield Finding("servers", "broken", f"{name} at {host} answers {error.code} {error.reason}")
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        yield Finding(
            "servers",
            "broken",
            f"{name} at {host} does not answer: {reason}",
            _AWAY.format(variable=variable),
        )
        return
    yield Finding("servers", "ok", f"{name} answers at {host}")
    if date:
        yield _clock(
            f"of {name}", parsedate_to_datetime(date).timestamp(), before, time.time(), resolution=1.0
        )


def _files(root: Path) -> Iterator[Finding]:
    """A folder on a file server has that server's clock, and DVC compares times of files."""
    folder = state_dir(root)
    probe = folder / f".clock-{socket.gethostname()}-{os.getpid()}"
    before = time.time()
    try:
        probe.touch()
        written = probe.stat().st_mtime
    except OSError as error:
        yield Finding(
            "clock", "broken", f"nothing can be written to {folder}: {error.strerror}", "check owner and mode"
        )
        return
    probe.unlink(missing_ok=True)
    yield _clock("of the files", written, before, time.time(), resolution=0.1)


def _clock(whose: str, there: float, before: float, after: float, *, resolution: float) -> Finding:
    """Compare a time that was taken between two of this machine's."""
    apart = max(before - there - resolution, there - after, 0.0)
    if apart < _SLOW_CLOCK:
        return Finding("clock", "ok", f"the clock {whose} agrees with this machine's")
    side = "behind" if there < before else "ahead of"
    return Finding(
        "clock",
        "note" if apart < _WRONG_CLOCK else "broken",
        f"the clock {whose} is {apart:.0f} s {side} this machine's",
        "let both machines follow a time server (timedatectl set-ntp true)",
    )


def _credentials(name: str) -> str:
    if name == "Prefect":
        return os.environ.get("PREFECT_API_AUTH_STRING", "")
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{part}", "") for part in ("USERNAME", "PASSWORD"))
    return f"{user}:{password}" if name == "MLflow" and user else ""
