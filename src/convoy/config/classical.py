"""Classical models in section `model`: features that are computed or fitted, and a classifier on them.

They are fitted once and not trained in epochs (docs/classical.md).
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from convoy.config._base import Section
from convoy.config._numbers import Positive

Count = Annotated[int, Field(ge=1, le=100_000)]


class LogisticConfig(Section):
    """Multinomial logistic regression with an L2 penalty."""

    name: Literal["logistic"] = "logistic"
    C: Positive = Field(default=1.0, description="inverse of the penalty's strength")
    max_iterations: Count = 1000


class LinearSvmConfig(Section):
    """Linear support vector machines, one class against the rest, squared hinge loss.

    Their margins are no probabilities: the temperature of `evaluate`, fitted on the validation split, makes
    some of them.
    """

    name: Literal["linear_svm"]
    C: Positive = Field(default=1.0, description="inverse of the penalty's strength")
    max_iterations: Count = 10_000


class RidgeConfig(Section):
    """Least squares on -1 and 1 for each class; the penalty is chosen by leave-one-out on the training split.

    What the authors of ROCKET use for small sets. Its scores are no probabilities either (see linear_svm).
    """

    name: Literal["ridge"]


class RandomForestConfig(Section):
    """Trees on resampled samples; their mean of class shares (Breiman 2001)."""

    name: Literal["random_forest"]
    trees: Annotated[int, Field(ge=1, le=5000)] = 200
    max_depth: Annotated[int, Field(ge=1, le=64)] = Field(
        default=32, description="of a tree; the exported network takes so many steps at most"
    )
    min_leaf: Annotated[int, Field(ge=1)] = Field(default=1, description="training samples in a leaf")


class GradientBoostingConfig(Section):
    """Trees one after the other on what is left of the loss, by histograms of the features."""

    name: Literal["gradient_boosting"]
    rounds: Annotated[int, Field(ge=1, le=5000)] = Field(
        default=200, description="trees, of more than two classes for each"
    )
    learning_rate: Positive = 0.1
    max_leaves: Annotated[int, Field(ge=2, le=1024)] = 31
    max_depth: Annotated[int, Field(ge=1, le=64)] = 16
    min_leaf: Annotated[int, Field(ge=1)] = 20
    patience: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="rounds without a gain on a tenth of the training split that end it; null: all rounds",
    )


_Classifier = LogisticConfig | LinearSvmConfig | RidgeConfig | RandomForestConfig | GradientBoostingConfig
_Name = Literal["logistic", "linear_svm", "ridge", "random_forest", "gradient_boosting"]


def _named(value: Any) -> Any:
    """`classifier: logistic` is `classifier: {name: logistic}`."""
    return {"name": value} if isinstance(value, str) else value


ClassifierConfig = Annotated[
    _Classifier,
    Field(discriminator="name"),
    BeforeValidator(_named, json_schema_input_type=_Name | _Classifier),
]


class HogConfig(Section):
    """Histograms of oriented gradients (Dalal and Triggs 2005), as the baseline of pictures has them."""

    name: Literal["hog"]
    classifier: ClassifierConfig = Field(default_factory=lambda: LinearSvmConfig(name="linear_svm"))


class SiftConfig(Section):
    """Dense SIFT descriptors (Lowe 2004) as a bag of visual words, of the picture and of its quarters."""

    name: Literal["sift"]
    words: Annotated[int, Field(ge=2, le=4096)] = Field(
        default=256, description="found by k-means among the training split's descriptors"
    )
    cell: Annotated[int, Field(ge=2, le=16)] = Field(
        default=4, description="pixels a side; a descriptor has 4×4 cells"
    )
    step: Annotated[int, Field(ge=1, le=32)] = Field(default=4, description="pixels between descriptors")
    classifier: ClassifierConfig = Field(default_factory=lambda: LinearSvmConfig(name="linear_svm"))


class PixelsConfig(Section):
    """The pixels themselves, normalised."""

    name: Literal["pixels"]
    classifier: ClassifierConfig = Field(default_factory=LogisticConfig)


class TfidfConfig(Section):
    """Frequencies of tokens and of runs of them, weighted by how few texts have them."""

    name: Literal["tfidf"]
    ngrams: Annotated[int, Field(ge=1, le=3)] = Field(default=2, description="tokens of the longest run")
    min_count: Annotated[int, Field(ge=1)] = Field(
        default=1, description="texts of the training split that a run must be in"
    )
    max_features: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=50_000, description="runs, those in the most texts"
    )
    classifier: ClassifierConfig = Field(default_factory=lambda: LogisticConfig(C=10.0))

    @model_validator(mode="after")
    def _features_are_sparse(self) -> Self:
        if isinstance(self.classifier, GradientBoostingConfig):
            raise ValueError(
                "classifier: gradient_boosting needs every feature of every sample in memory, and tfidf has "
                f"up to {self.max_features:,}; use logistic, linear_svm, ridge or random_forest"
            )
        return self


class RocketConfig(Section):
    """Random convolutions (ROCKET, Dempster et al. 2020): of each its maximum and its share above a bias."""

    name: Literal["rocket"]
    kernels: Annotated[int, Field(ge=1, le=20_000)] = Field(
        default=2000, description="two features each; the paper has 10,000"
    )
    classifier: ClassifierConfig = Field(default_factory=LogisticConfig)


class ColumnsConfig(Section):
    """The prepared columns; of embedded categories a 0 or 1 for each."""

    name: Literal["columns"]
    classifier: ClassifierConfig = Field(
        default_factory=lambda: GradientBoostingConfig(name="gradient_boosting")
    )


OfPictures = HogConfig | SiftConfig | PixelsConfig
ClassicalConfig = OfPictures | TfidfConfig | RocketConfig | ColumnsConfig
