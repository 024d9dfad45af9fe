"""Section `notify`: which events are told to people. The addresses are secrets, and never stand here."""

from typing import Literal

from pydantic import Field

from convoy.config._base import Section

Kind = Literal["failed", "recovered", "refused", "promoted", "drifted"]


class NotifyConfig(Section):
    """Off until `events` names some and the variable CONVOY_NOTIFY_URLS, or a block, says whom to tell."""

    events: list[Kind] = Field(
        default=[],
        description="failed | recovered (the first good run after a failure) | refused, promoted (by the "
        "gate) | drifted (what `convoy monitor` sees)",
    )
    block: str | None = Field(
        default=None, min_length=1, description="a Prefect Secret block with addresses, beside the variable"
    )
    timeout_seconds: float = Field(
        default=10.0, gt=0.0, le=60.0, description="the longest that a run waits for all messages together"
    )
