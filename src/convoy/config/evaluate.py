"""Section `evaluate`."""

from typing import Annotated

from pydantic import Field

from convoy.config._base import Section


class EvaluateConfig(Section):
    resamples: int = Field(ge=100, le=100_000, description="bootstrap resamples")
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = Field(description="of the intervals")
    mistakes: int = Field(ge=1, le=100, description="how many of the worst mistakes are pictured")
    seed: int = Field(ge=0)
