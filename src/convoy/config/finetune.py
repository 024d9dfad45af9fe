"""Section `train.fine_tune`: what of a network that was trained before learns on, when, and how fast."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from convoy.config._base import Section


def _frozen(value: object) -> object:
    if value in ("none", "body") or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    if isinstance(value, list) and value and all(isinstance(one, str) and one for one in value):
        return value
    raise ValueError("must be none, body, a number of layers from the input, or a list of name patterns")


class FineTuneConfig(Section):
    """Freezing, gradual unfreezing (Howard and Ruder, ULMFiT, 2018) and layer-wise learning rates.

    Layers are counted as `convoy model show` numbers them. Batch normalisation that is frozen keeps its
    statistics.
    """

    freeze: Annotated[int | list[str] | Literal["none", "body"], BeforeValidator(_frozen)] = Field(
        default="none",
        description="body: all but the head; a number: so many layers from the input; a list: parameters "
        "whose names match one of these patterns (*, ?)",
    )
    unfreeze_every_epochs: int | None = Field(
        default=None, ge=1, description="every so many epochs one more layer learns, from the top"
    )
    layer_decay: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=1.0, description="each layer learns with this share of the rate of the layer above it"
    )

    @property
    def freezes(self) -> bool:
        return self.freeze not in ("none", 0)

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        if self.unfreeze_every_epochs is not None and (not self.freezes or isinstance(self.freeze, list)):
            raise ValueError("unfreeze_every_epochs needs freeze: body or a number of layers")
        return self
