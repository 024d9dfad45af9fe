"""What is told: one thing that happened, why, where to look, what to try."""

import re
from dataclasses import dataclass
from typing import Literal

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
_LONGEST = 1500  # characters of a reason: robots refuse long messages


@dataclass(frozen=True)
class Event:
    """Something that people want to hear of.

    Attributes:
        title: one line: of which project or model, and what.
        reason: why; several lines are fine.
        link: to the MLflow run, the Prefect flow run or the report; may be empty.
        command: what to try next; may be empty.
    """

    kind: Literal["failed", "recovered", "refused", "promoted", "drifted"]
    title: str
    reason: str = ""
    link: str = ""
    command: str = ""

    def text(self) -> str:
        """The message below the title; user names and passwords inside of addresses are left out."""
        reason = self.reason.strip()
        if len(reason) > _LONGEST:
            reason = reason[: _LONGEST - 1] + "…"
        lines = [reason, f"try: {self.command}" if self.command else "", self.link]
        return _CREDENTIALS.sub("***@", "\n".join(line for line in lines if line)) or self.title
