"""One thing that the doctor looked at."""

from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """Attributes:
    topic: "versions", "servers" …
    status: `broken` ends the command with 5; a `note` is worth knowing.
    said: in one line.
    fix: what to do; empty where nothing is to be done.
    """

    topic: str
    status: Status
    said: str
    fix: str = ""

    def record(self) -> dict[str, str]:
        return asdict(self)
