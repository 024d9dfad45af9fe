"""Section `monitor`: when what a model is asked is not what it was tested on. All keys have defaults."""

from pydantic import Field

from convoy.config._base import Section


class MonitorConfig(Section):
    """What `convoy monitor` calls drift, and what follows from it (docs/monitoring.md).

    Drift is what is both beyond chance and large: one alone does not alarm.
    """

    window: int = Field(default=2000, ge=30, description="the newest kept predictions that are looked at")
    min_samples: int = Field(default=100, ge=30, description="fewer are not judged")
    alpha: float = Field(
        default=0.01, gt=0.0, lt=0.5,
        description="chance of a false alarm of one look, over all measures together (Holm)",
    )  # fmt: skip
    min_psi: float = Field(
        default=0.1, ge=0.0, description="a smaller population stability index is no drift, however certain"
    )
    accuracy_drop: float = Field(
        default=0.02, ge=0.0, le=1.0,
        description="once labels are here: the loss against the test accuracy that is borne",
    )  # fmt: skip
    keep: int = Field(default=100_000, ge=1000, description="kept predictions; the oldest are forgotten")
    retrain: bool = Field(default=False, description="on drift, `convoy run`; the gate decides as ever")
    retrain_hours: float = Field(default=24.0, ge=0.0, description="between two such runs")
