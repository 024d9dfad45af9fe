"""The note beside a lease: whose it is, in words for those who wait. What decides is the lock."""

import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convoy.io import read_json, write_json
from convoy.owners import Owner
from convoy.registry.runs import user


@dataclass(frozen=True)
class Holder:
    """Who has a lease.

    Attributes:
        lease: "project", "dvc" (works beside the lease, under DVC's own locks) or "device 0".
        user: of the system.
        command: what it does: "convoy run".
        since: seconds since the epoch.
        token: what its children name it by.
    """

    lease: str
    owner: Owner
    user: str
    command: str
    since: float
    token: str = ""

    def __str__(self) -> str:
        where = "" if self.owner.host == socket.gethostname() else f" on {self.owner.host}"
        told = (
            f"`{self.command}` of {self.user} (process {self.owner.pid}{where}, since {_clock(self.since)})"
        )
        return f"what is left of {told}" if self.owner.gone else told

    def record(self) -> dict[str, Any]:
        """For `--json`: lease, command, user, since, and the process."""
        return {
            "lease": self.lease, "command": self.command, "user": self.user, "since": self.since,
            **self.owner.record(),
        }  # fmt: skip


def write(note: Path, lease: str, owner: Owner, command: str, token: str = "") -> None:
    holder = Holder(lease, owner, user(), command, time.time(), token)
    write_json(note, {**holder.record(), "token": token})


def read(note: Path) -> Holder | None:
    """None where there is no note, or none that can be read."""
    try:
        record = read_json(note)
        owner = Owner.read(record)
        if owner is None:
            return None
        return Holder(
            str(record["lease"]), owner, str(record["user"]), str(record["command"]), float(record["since"]),
            str(record.get("token", "")),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _clock(moment: float) -> str:
    then, now = time.localtime(moment), time.localtime()
    return time.strftime("%H:%M" if then[:3] == now[:3] else "%Y-%m-%d %H:%M", then)
