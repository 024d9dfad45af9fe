"""Sections `register`, `tracking` and `flow`: what happens around the stages; none of it retrains."""

from typing import Annotated, Literal

from pydantic import Field

from convoy.config._base import Section

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class GateConfig(Section):
    """What a model must show before it gets an alias (docs/decisions/0006-the-gate.md).

    Shares are of 1: 0.01 is one sample in a hundred. `null` switches a bound off.
    """

    metric: Literal["accuracy", "macro_f1"]
    first: Literal["promote", "hold"] = Field(
        description="where there is no champion: a model that passes is champion, or waits as challenger"
    )
    minimum: Share = Field(description="of the metric; below it no alias is given")
    margin: Share = Field(description="by more than this the champion must be beaten")
    non_inferiority: Share = Field(
        description="the difference's interval must lie above minus this to promote; wholly below: refused"
    )
    beat_baseline: bool = Field(description="the baseline of `evaluate` must be beaten, with its interval")
    max_ece: Share | None = Field(description="expected calibration error on the test samples")
    slice_margin: Share | None = Field(description="no slice may clearly lose more accuracy than this")
    slice_samples: int = Field(ge=2, description="slices with fewer test samples are not judged")
    max_latency_ms: Annotated[float, Field(gt=0.0)] | None = Field(
        description="milliseconds for one picture, decoding included, on one thread"
    )
    max_latency_ratio: Annotated[float, Field(gt=0.0)] | None = Field(
        description="times the champion's milliseconds, measured in turns"
    )
    max_size_mb: Annotated[float, Field(gt=0.0)] | None = Field(
        description="of model.onnx; MB are 10^6 bytes"
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
