"""Section `objective`: what the network learns, and the loss that measures how far it is from it."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from convoy.config._base import Section
from convoy.config._numbers import BelowOne, NonNegative, Positive, Share


class CrossEntropyConfig(Section):
    name: Literal["cross_entropy"] = "cross_entropy"


class FocalConfig(Section):
    """Cross-entropy that easy samples add little to (Lin et al. 2017). The paper's alpha is class_weights."""

    name: Literal["focal"]
    gamma: NonNegative = Field(default=2.0, description="0 is cross-entropy")


class BceConfig(Section):
    """Binary cross-entropy of each class against the rest."""

    name: Literal["bce"]


class MseConfig(Section):
    """Mean squared error; of classes: of the softmax probabilities (the Brier score over the classes)."""

    name: Literal["mse"]


class MaeConfig(Section):
    """Mean absolute error; of classes: of the softmax probabilities."""

    name: Literal["mae"]


class SmoothL1Config(Section):
    """Squared below beta, absolute above (Girshick 2015); of classes: of the softmax probabilities."""

    name: Literal["smooth_l1"]
    beta: Positive = 1.0


class SigmoidFocalConfig(Section):
    """Focal loss of each label by itself, as Lin et al. (2017) define it."""

    name: Literal["focal"]
    gamma: NonNegative = 2.0
    alpha: Share | None = Field(
        default=0.25, description="weight of the labels that hold; 1 - alpha of those that do not. null: none"
    )


def _named(value: Any) -> Any:
    """`loss: focal` is `loss: {name: focal}`."""
    return {"name": value} if isinstance(value, str) else value


_Class = CrossEntropyConfig | FocalConfig | BceConfig | MseConfig | MaeConfig | SmoothL1Config
_ClassName = Literal["cross_entropy", "focal", "bce", "mse", "mae", "smooth_l1"]
ClassLoss = Annotated[
    _Class,
    Field(discriminator="name"),
    BeforeValidator(_named, json_schema_input_type=_ClassName | _Class),
]
_Label = BceConfig | SigmoidFocalConfig
LabelLoss = Annotated[
    _Label,
    Field(discriminator="name"),
    BeforeValidator(_named, json_schema_input_type=Literal["bce", "focal"] | _Label),
]
_Value = MseConfig | MaeConfig | SmoothL1Config
ValueLoss = Annotated[
    _Value,
    Field(discriminator="name"),
    BeforeValidator(_named, json_schema_input_type=Literal["mse", "mae", "smooth_l1"] | _Value),
]
Weights = Literal["none", "balanced"] | dict[str, Positive]


def _weights(value: object) -> object:
    """One clear refusal in place of one for each kind that a weight could have been."""
    numbers = isinstance(value, dict) and all(
        isinstance(weight, int | float) and not isinstance(weight, bool) and 0 < weight < float("inf")
        for weight in value.values()
    )
    if value in ("none", "balanced") or numbers:
        return value
    raise ValueError("must be none, balanced or positive numbers by name, like {cat: 2.0}")


class ClassificationConfig(Section):
    """One class a sample."""

    name: Literal["classification"]
    loss: ClassLoss = Field(default_factory=CrossEntropyConfig)
    label_smoothing: BelowOne = Field(
        default=0.0, description="share of the target spread over all classes; in training alone"
    )
    class_weights: Weights = Field(
        default="none",
        description="what a sample of a class counts for. balanced: as much as all others of the training "
        "split together; or numbers by class, 1 where none is given",
    )

    _weights_are_clear = field_validator("class_weights", mode="before")(_weights)


class MultilabelConfig(Section):
    """Any number of labels a sample."""

    name: Literal["multilabel"]
    loss: LabelLoss = Field(default_factory=lambda: BceConfig(name="bce"))
    positive_weights: Weights = Field(
        default="none",
        description="what a label that holds counts for. balanced: as much as all samples without it; or "
        "numbers by label, 1 where none is given",
    )

    _weights_are_clear = field_validator("positive_weights", mode="before")(_weights)

    @model_validator(mode="after")
    def _one_weighting(self) -> Self:
        if self.loss.name == "focal" and self.positive_weights != "none":
            raise ValueError("positive_weights belongs to loss: bce; loss: focal has its alpha")
        return self


class RegressionConfig(Section):
    """One or several numbers a sample."""

    name: Literal["regression"]
    loss: ValueLoss = Field(default_factory=lambda: MseConfig(name="mse"))


class ReconstructionConfig(Section):
    """The sample itself out of a short code: for autoencoders, without labels."""

    name: Literal["reconstruction"]
    loss: ValueLoss = Field(default_factory=lambda: MseConfig(name="mse"))


ObjectiveConfig = Annotated[
    ClassificationConfig | MultilabelConfig | RegressionConfig | ReconstructionConfig,
    Field(discriminator="name"),
]
