"""Sections `register`, `tracking` and `flow`: what happens around the stages; none of it retrains."""

from typing import Annotated, Literal

from pydantic import Field

from convoy.config._base import Section


class GateConfig(Section):
    metric: Literal["accuracy", "macro_f1"]
    minimum: Annotated[float, Field(ge=0.0, le=1.0)] = Field(description="below it no alias is given")
    margin: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        description="by more than this the champion must be beaten"
    )


class RegisterConfig(Section):
    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    gate: GateConfig


class TrackingConfig(Section):
    experiment: str = Field(min_length=1)


class FlowConfig(Section):
    retries: int = Field(ge=0, le=10, description="of a stage that was killed or lacked a resource")
    retry_delay_seconds: Annotated[float, Field(ge=0.0)]
    stage_timeout_seconds: int = Field(ge=1)
