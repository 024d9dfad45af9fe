"""What keeps a training from fitting noise: `train.averaging`, `train.gradient_clipping`."""

from typing import Annotated, Literal

from pydantic import Field

from convoy.config._base import Section
from convoy.config._numbers import Positive


class EmaConfig(Section):
    """Exponential moving average of the weights; it is what is validated and kept."""

    name: Literal["ema"]
    decay: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.999
    warmup: bool = Field(
        default=True,
        description="the decay after n steps is at most (1 + n) / (10 + n): the start is soon forgotten",
    )


class SwaConfig(Section):
    """Stochastic weight averaging (Izmailov et al. 2018): the mean of the weights at the ends of epochs.

    Batch normalisation gets its statistics from one more pass over the training data before each validation.
    """

    name: Literal["swa"]
    start_epoch: int = Field(ge=1, description="epochs trained before the first weights that are averaged")
    lr: Positive = Field(description="constant learning rate while averaging")
    anneal_epochs: int = Field(
        default=5, ge=0, description="epochs on the way from the schedule's rate to it"
    )


AveragingConfig = Annotated[EmaConfig | SwaConfig, Field(discriminator="name")]


class GradientClippingConfig(Section):
    """Gradients kept within a limit, of their whole L2 norm (Pascanu et al. 2013) or of each value."""

    by: Literal["norm", "value"]
    limit: Positive
