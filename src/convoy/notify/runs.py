"""How pipeline runs end, as events: a failure, the first success after one, what the gate decided.

What was told last is kept in `.convoy/notify/state.json`, so that a nightly run that changes nothing does not
tell the same verdict every night.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from convoy.io import read_json, write_json
from convoy.layout import STATE
from convoy.notify.event import Event
from convoy.notify.sending import send

STATE_FILE = STATE / "notify" / "state.json"


def failed(root: Path, reason: str, *, link: str = "", command: str = "convoy run") -> None:
    """A run ended with an error; never raises.

    Args:
        reason: what the error says.
    """
    first = reason.strip().splitlines()[0] if reason.strip() else "no reason is known"
    before = _state(root)
    since = (before.get("failing") or {}).get("since") or time.time()
    _keep(root, {**before, "failing": {"since": since, "reason": first}})
    send(root, Event("failed", f"{root.name}: the run failed: {_short(first)}", reason, link, command))


def ended(
    root: Path,
    *,
    model: str,
    version: str,
    status: str,
    new: bool,
    reason: str,
    link: str = "",
    fix: str = "",
) -> None:
    """A run came to its end, and the gate has spoken; never raises.

    Args:
        status: champion, challenger or refused.
        new: this run made the version.
        reason: of the gate.
        fix: what the gate advises.
    """
    before = _state(root)
    verdict = f"{model}/{version} {status}"
    _keep(root, {"verdict": verdict, "failing": None})
    if before.get("failing"):
        failing = before["failing"]
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(failing["since"]))
        why = f"the run ended well; before, since {since}: {failing['reason']}"
        send(root, Event("recovered", f"{root.name}: runs are well again", why, link))
    known = before.get("verdict")
    if verdict == known or (known is None and not new):
        return
    show = f"convoy registry show {model}/{version}"
    if status == "champion":
        title = f"{root.name}: {model} version {version} is champion"
        send(root, Event("promoted", title, reason, link, show))
    elif status == "refused":
        title = f"{root.name}: {model} version {version} was refused"
        send(root, Event("refused", title, "\n".join(filter(None, (reason, fix))), link, show))


def _state(root: Path) -> dict[str, Any]:
    try:
        found = read_json(root / STATE_FILE)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(root: Path, state: dict[str, Any]) -> None:
    with suppress(OSError):  # the disk may be what failed
        write_json(root / STATE_FILE, state)


def _short(text: str) -> str:
    text = text.partition(": ")[2] if text.startswith("error ") else text
    return text if len(text) <= 120 else f"{text[:119]}…"
