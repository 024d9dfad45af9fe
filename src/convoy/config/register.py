"""Sections `register`, `tracking` and `flow`: what happens around the stages; none of it retrains."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from convoy.config._base import Section

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Amount = Annotated[float, Field(ge=0.0)]  # of the metric's own units: of shares at most 1

# Metric of the test split -> whether more of it is better; see config/combinations.py for each objective's
_RISES = {
    "accuracy": True, "macro_f1": True, "micro_f1": True, "mean_ap": True, "subset_accuracy": True,
    "r2": True, "mae": False, "rmse": False, "nme": False, "pck_10": True, "mse": False,
}  # fmt: skip
Metric = Literal[
    "accuracy", "macro_f1", "micro_f1", "mean_ap", "subset_accuracy", "r2", "mae", "rmse", "nme", "pck_10",
    "mse",
]  # fmt: skip


def rises(metric: str) -> bool:
    """Whether more of a metric is better; an error is better the smaller it is."""
    return _RISES[metric]


class GateConfig(Section):
    """What a model must show before it gets an alias (docs/decisions/0006-the-gate.md).

    Shares are of 1: 0.01 is one sample in a hundred. `null` switches a bound off. An error (mae, rmse,
    nme, mse) is better the smaller it is: it has a maximum in place of a minimum, and its margins are in its
    own units.
    """

    metric: Metric
    first: Literal["promote", "hold"] = Field(
        description="where there is no champion: a model that passes is champion, or waits as challenger"
    )
    minimum: Share | None = Field(
        description="of the metric; below it no alias is given; null: it is an error, which has a maximum"
    )
    maximum: Amount | None = Field(default=None, description="of an error, in place of minimum")
    margin: Amount = Field(description="by more than this the champion must be beaten")
    non_inferiority: Amount = Field(
        description="the difference's interval must lie above minus this to promote; wholly below: refused"
    )
    beat_baseline: bool = Field(description="the baseline of `evaluate` must be beaten, with its interval")
    max_ece: Share | None = Field(description="expected calibration error on the test samples")
    slice_margin: Amount | None = Field(
        description="no slice may clearly lose more than this: of accuracy (classes, labels) or the error"
    )
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

    @property
    def bound(self) -> float:
        """What the metric must reach, or must not exceed."""
        found = self.minimum if rises(self.metric) else self.maximum
        assert found is not None
        return found

    @model_validator(mode="after")
    def _bounds_are_of_the_metric(self) -> Self:
        wanted, other = ("minimum", "maximum") if rises(self.metric) else ("maximum", "minimum")
        if getattr(self, other) is not None:
            raise ValueError(f"metric: {self.metric} has a {wanted}, not a {other}")
        if getattr(self, wanted) is None:
            raise ValueError(f"metric: {self.metric} needs a number as register.gate.{wanted}")
        if rises(self.metric):
            for name in ("margin", "non_inferiority", "slice_margin"):
                if (getattr(self, name) or 0.0) > 1.0:
                    raise ValueError(f"{name} is a share of 1, not {getattr(self, name):g}")
        return self


class RegisterConfig(Section):
    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    gate: GateConfig


class TrackingConfig(Section):
    experiment: str = Field(min_length=1)


class FlowConfig(Section):
    retries: int = Field(ge=0, le=10, description="of a stage that was killed or lacked a resource")
    retry_delay_seconds: Annotated[float, Field(ge=0.0)]
    stage_timeout_seconds: int = Field(ge=1)
