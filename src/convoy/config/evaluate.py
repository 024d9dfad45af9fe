"""Section `evaluate`."""

from typing import Annotated, Literal

from pydantic import Field

from convoy.config._base import Section


class EvaluateConfig(Section):
    resamples: int = Field(ge=100, le=100_000, description="bootstrap resamples")
    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = Field(description="of the intervals")
    mistakes: int = Field(ge=1, le=100, description="how many of the worst mistakes are pictured")
    calibration: Literal["temperature", "none"] = Field(
        description="the logits are divided by a temperature fitted on the validation split"
    )
    baseline: Literal[
        "hog_linear",
        "tfidf_linear",
        "nearest_euclidean",
        "nearest_dtw",
        "sequence_linear",
        "gradient_boosting",
        "logistic",
        "mean",
        "pca",
        "none",
    ] = Field(
        description="what the network is compared with on the same split; none: the commonest class alone; "
        "mean: of what is to be predicted, always the training split's mean; pca: as many principal "
        "components of the training split as the code has numbers. "
        "nearest_dtw is for small sets: it compares every test sequence with every training sequence"
    )
    robustness_samples: int = Field(
        ge=0, le=100_000, description="test samples that are corrupted and predicted again; 0: none"
    )
    tta: int = Field(
        ge=0, le=100, description="augmented copies of each test sample whose probabilities are averaged"
    )
    seed: int = Field(ge=0)
